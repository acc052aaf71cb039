"""How a run shows and saves a rig that is solved, or is not, without any process."""

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from pose_rig.config import Config, load
from pose_rig.errors import PoseRigError
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.rig_files.rig_toml import RigFile
from pose_rig.tools.terminal.run_display import render_table, status_line
from pose_rig.tools.terminal.runner import save_rig
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.workers.plan import plan
from pose_rig.tools.workers.supervisor import WorkerState
from pose_rig.wire.messages import CameraState, RigState
from tests.tools.rigs import state


def status_of(config: Config, *rigs: RigState) -> RunStatus:
    telemetry = Telemetry()
    telemetry.start_ns = 1
    for rig in rigs:
        telemetry.update(rig)
    workers = plan(msgspec.structs.replace(config, port=0), "").workers
    return RunStatus(config, telemetry, {worker.name: WorkerState(worker) for worker in workers})


def settled(config: Config, note: str = "") -> RigState:
    cameras = tuple(
        CameraState(name=camera.name, focal_px=1152.0, rotation_sd_deg=3.04, moving=number == 1)
        for number, camera in enumerate(config.camera)
    )
    return RigState(t_ns=2, mode="settled", cameras=cameras, note=note)


def shown(status: RunStatus, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False)
    console.print(render_table(status))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_shows_the_uncertainty_of_a_solved_camera() -> None:
    config = config_of("sim:2")
    row = shown(status_of(config, state(config.camera))).splitlines()[1]
    assert row.split() == ["sim0", "starting", "0.0", "0", "0", "0", "90%", "1088", "±9", "±0.4°", "±2", "cm"]


def test_the_table_shows_the_advice() -> None:
    config = config_of("sim:2")
    status = status_of(config, settled(config, "Turn around once."))
    _, first, second, _, advice, *_ = shown(status).splitlines()
    assert first.split()[-2:] == ["1152", "±3.0°"]
    assert second.split()[-2:] == ["1152", "moving"]
    assert advice.strip() == "Turn around once."
    status.telemetry.pose = None
    assert status_line(status).endswith("| Turn around once.")
    assert "Rig not solved: Turn around once." in summary(status, None)


def test_the_summary_names_the_file_of_a_solved_rig() -> None:
    config = config_of("sim:2")
    status = status_of(config, state(config.camera), settled(config, "sim1 was moved."))
    assert "Rig solved. `pose-rig run --rig rig.toml` saves it for the next start." in summary(status, None)
    assert "Rig solved and saved to s.toml (`pose-rig rig s.toml` shows it)." in summary(status, None, Path("s.toml"))


def test_the_summary_shows_the_note_of_a_solved_rig() -> None:
    config = config_of("sim:2")
    doubtful = msgspec.structs.replace(state(config.camera), note="Up is uncertain.")
    assert "Up is uncertain." in summary(status_of(config, doubtful), None)
    assert "Up is uncertain." in summary(status_of(config, doubtful), None, Path("s.toml"))
    lines = summary(status_of(config, doubtful, settled(config, "Turn around once.")), None)
    assert "Turn around once." not in lines


def test_the_last_solved_state_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    config = msgspec.structs.replace(config_of("sim:2"), rig=str(path))
    rig_file = RigFile(path)
    assert save_rig(status_of(config, settled(config)), rig_file) is None
    assert not path.exists()
    status = status_of(config, state(config.camera), state(config.camera, ("sim1",)), settled(config))
    assert save_rig(status, rig_file) == path
    assert [camera.solved is None for camera in load(path).camera] == [False, True]


def test_a_run_without_a_rig_file_saves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_of("sim:2")
    assert save_rig(status_of(config, state(config.camera)), None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_rig_file_that_became_invalid_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    rig_file = RigFile(path)
    path.write_text("[[camera\n")
    config = msgspec.structs.replace(config_of("sim:2"), rig=str(path))
    status = status_of(config, state(config.camera))
    with pytest.raises(PoseRigError, match=r"studio\.toml is not TOML"):
        save_rig(status, rig_file)
    assert path.read_text() == "[[camera\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_rig_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    path.write_text("height_m = 1.8\n")
    rig_file = RigFile(path)
    (tmp_path / "studio.partial.toml").symlink_to("/dev/full")
    config = msgspec.structs.replace(config_of("sim:2"), rig=str(path))
    with pytest.raises(PoseRigError, match=r"could not be written to .*No space left on device.*Free disk space"):
        save_rig(status_of(config, state(config.camera)), rig_file)
    assert [found.name for found in tmp_path.iterdir()] == ["studio.toml"]
    assert path.read_text() == "height_m = 1.8\n"


def test_a_folder_that_was_removed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "studio.toml"
    path.parent.mkdir()
    rig_file = RigFile(path)
    path.parent.rmdir()
    config = msgspec.structs.replace(config_of("sim:2"), rig=str(path))
    with pytest.raises(PoseRigError, match=r"could not be written to .*No such file or directory"):
        save_rig(status_of(config, state(config.camera)), rig_file)
