"""Text from files and messages cannot control the terminal."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.table import Table
from rich.text import Text

from pose_rig.config import CameraConfig, Config
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.tools.terminal.console import Console, exit_on_error
from pose_rig.tools.terminal.run_display import render_table, run_screen, status_line
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.workers.supervisor import Supervisor, Worker
from pose_rig.wire.messages import CameraState, Health, RigState
from pose_rig.wire.records import Marker
from tests.session.recorded import START_NS, UNIX_FROM_RIG_NS, talk, write
from tests.tools.cli.test_app import pose_rig
from tests.tools.cli.test_rig import poses_file
from tests.tools.fakes import camera_job, idle

PWN = "\x1b]0;pwn\x07[red]x[/red] [link=http://x]y[/link]"
SHOWN = "?]0;pwn[red]x[/red] [link=http://x]y[/link]"


def test_texts_are_printed_literally_without_control_characters() -> None:
    out = StringIO()
    console = Console(file=out)
    table = Table(title=PWN)
    table.add_column(PWN, no_wrap=True)
    table.add_row(PWN)
    for text in (PWN, Text(PWN), table):
        console.print(text, soft_wrap=True)
    assert out.getvalue().count("?]0;pwn[red]x[/red]") == 5
    assert not {"\x1b", "\x07"} & set(out.getvalue())


def test_our_own_colours_reach_a_terminal() -> None:
    out = StringIO()
    Console(file=out, terminal=True).print(PWN, style="red")
    assert out.getvalue().startswith("\x1b[31m?]0;pwn[red]")


def test_a_file_name_is_printed_literally() -> None:
    out = StringIO()
    with Console(file=out, terminal=True).reading(Path("take[red].mcap")):
        pass
    assert "Reading take[red].mcap;" in out.getvalue()


def test_reports_of_workers_are_printed_literally() -> None:
    telemetry = Telemetry()
    telemetry.start_ns = 1
    for name in ("sim0", "fusion", "recorder", "streams"):
        telemetry.update(Health(worker=name, t_ns=0, state="running", error=PWN, detail=PWN))
    camera = CameraState(name="sim0", focal_px=1.0, note=PWN)
    telemetry.update(RigState(t_ns=0, mode="cold", cameras=(camera,), note=PWN))
    workers = (Worker("sim0", idle, camera_job()), Worker("fusion", idle, camera_job()))
    status = RunStatus(Config(camera=(CameraConfig(source="sim", name="sim0"),)), telemetry, Supervisor(workers).states)
    out = StringIO()
    console = Console(file=out)
    console.print(render_table(status))
    console.print(status_line(status))
    for text in summary(status, Path(PWN)):
        console.print(text)
    with run_screen(console, headless=False) as display:
        display.print(PWN)
    assert out.getvalue().count("?]0;pwn") >= 3
    assert not {"\x1b", "\x07"} & set(out.getvalue())


def test_an_error_is_printed_literally(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), exit_on_error(debug=False):
        raise ValueError(PWN)
    assert SHOWN in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "{}", "--to", "csv,json"), ("replay", "{}", "--save", "x.npz", "--headless"), ("plot", "{}"),
        ("recover", "{}"), ("import", "{}"), ("run", "--cams", "{}", "--pace", "all", "--headless", "--port", "0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["names.mcap", "names.npz"])
def test_hostile_names_in_files_are_printed_literally(
    command: tuple[str, ...], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / kind
    if kind.endswith(".mcap"):
        config = Config(camera=tuple(CameraConfig(source="0", name=name) for name in ("../../up", PWN)))
        info = new_info(config, "live", START_NS + UNIX_FROM_RIG_NS, UNIX_FROM_RIG_NS)
        McapWriter(path, info).finish()
    else:
        names = np.array(["left_hip", "right_hip", "left_shoulder", "right_shoulder", PWN])
        np.savez(
            path, xy=np.full((1, 3, 5, 2), 50.0), score=np.ones((1, 3, 5)), t_ns=np.arange(3)[None] * 10**8,
            size_px=np.array([[99, 99]]), landmarks=names, cameras=np.array([PWN]),
        )  # fmt: skip
    code, output = pose_rig(*(part.format(path) for part in command))
    assert code != 0 or command[0] == "recover"
    assert not {"\x1b", "\x07"} & set(output)
    assert not list(tmp_path.parent.glob("up*"))


def test_a_marker_is_printed_literally(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", [*talk(30), Marker(t_ns=START_NS, number=1, text=f"$\\frac{PWN}")])
    code, output = pose_rig("plot", str(path), "--out", str(tmp_path / "r.html"))
    assert code == 0, output
    assert not {"\x1b", "\x07"} & set(output)


def test_sentences_are_not_wrapped() -> None:
    out = StringIO()
    path = "a folder/" * 20 + "take.mcap"
    for text in (f"Written: {path}.", Text(f"Written: {path}.")):
        Console(file=out).print(text)
    assert out.getvalue() == f"Written: {path}.\n" * 2


def test_characters_that_stdout_lacks_do_not_end_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pose_rig", "rig", str(poses_file(tmp_path / "poses.npz"))]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert b"?cm" in done.stdout  # ±cm


def test_a_narrow_terminal_still_shows_which_camera_is_in_which_state() -> None:
    telemetry = Telemetry()
    telemetry.start_ns = 1
    telemetry.update(Health(worker="left", t_ns=0, state="running"))
    workers = (Worker("left", idle, camera_job()), Worker("fusion", idle, camera_job()))
    status = RunStatus(Config(camera=(CameraConfig(source="sim", name="left"),)), telemetry, Supervisor(workers).states)
    out = StringIO()
    console = Console(file=out)
    console.width = 40
    console.print(render_table(status))
    assert out.getvalue().splitlines()[1].startswith("left   running ")
