"""The command line as a user meets it."""

import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pose_rig.tools.cli.app import PANELS, app
from pose_rig.tools.cli.command import Command, as_command
from pose_rig.tools.cli.demo import laps_of
from pose_rig.wire.bus import Sender


def pose_rig(*arguments: str) -> tuple[int, str]:
    """Returns exit code and all output of a command."""
    result = CliRunner().invoke(app, arguments, prog_name="pose-rig")
    return result.exit_code, result.output


def pose_rig_process(*arguments: str) -> tuple[int, str]:
    """Returns exit code and all output of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pose_rig", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["run"], 2, "No camera is given. Add --cams 0,1,2 or --phones 3"),
        (["run", "--cams", "missing.mp4"], 2, "There is no file missing.mp4."),
        (["run", "--cams", "missing.npz"], 2, "There is no file missing.npz."),
        (["run", "--cams", "missing.toml"], 2, "Cannot read missing.toml: No such file or directory."),
        (["run", "--cams", "No Such Camera"], 1, "There is no file or camera 'No Such Camera'."),
        (["run", "--cams", "sim", "--pace", "slow"], 2, "Invalid value for '--pace'"),
        (["run", "--cams", "sim", "--height", "182"], 2, "A height of 182 m is out of range. Give it in metres"),
        (["run", "--cams", "sim", "--height", "nan"], 2, "A height of nan m is out of range."),
        (["run", "--cams", "sim", "--rate", "0"], 2, "A pose rate of 0 Hz is out of range."),
        (["run", "--cams", "sim", "--height", "1.8,1.6"], 2, "2 body heights are given, but one person is tracked."),
        (["run", "--cams", "sim", "--people", "7"], 2, "A number of people of 7 is out of range."),
        (["demo", "--people", "some"], 2, "--people must be a whole number or auto; got 'some'."),
        (["run", "--cams", "sim", "--people", "0"], 2, "A number of people of 0 is out of range."),
        (["run", "--cams", "sim", "--detect-people", "0"], 2, "A number of people in an image of 0 is out of range."),
        (["run", "--cams", "sim", "--duration", "-1"], 2, "The duration must be positive; got -1 s."),
        (["run", "--cams", "sim", "--save", "poses.csv"], 2, "Poses are saved as .npz; got poses.csv."),
        (["run", "--cams", "sim", "--save", "no/such/p.npz"], 2, "Cannot write no/such/p.npz."),
        (["run", "--cams", "sim", "--weights", "w.onnx"], 2, "There are no weights at w.onnx."),
        (["run", "--cams", "sim", "--passes", "2"], 2, "Two passes need every frame; pace"),
        (["run", "--cams", "sim", "--passes", "3"], 2, "Invalid value for '--passes'"),
        (["run", "--cams", "sim:2", "--moving", "5"], 2, "Unknown camera '5' in --moving."),
        (["run", "--cams", "sim", "--rig", "no/such/rig.toml"], 2, "Cannot save a rig to no/such/rig.toml."),
        (["run", "--cams", "sim", "--rig", "rig.txt"], 2, "Cannot save a rig to rig.txt."),
        (["run", "--cams", "sim", "--model", "huge"], 2, "There is no detector model 'huge'."),
        (["run", "--cams", "sim", "--moving", "0", "--moving", "7"], 2, "Unknown camera '7' in --moving."),
        (["run", "--cams", "sim,remote:a b"], 2, "'remote:a b' does not name a remote camera of its own."),
        (["run", "--port", "0", "--cams", "sim,remote:a", "--host", "192.0.2.1"], 2, "--host takes an address of this"),
        (["camera", "--to", "rig"], 2, "Missing option '--cam'"),
        (["camera", "--cam", "sim", "--to", "rig", "--key", "short"], 2, "That is not a key for remote cameras"),
        (["camera", "--cam", "sim:2", "--to", "rig", "--key", "short"], 2, "sim:2 has 2 cameras. Start one"),
        (["camera", "--cam", "remote:a", "--to", "rig", "--key", "short"], 2, "is a camera of another machine. Give"),
        (["camera", "--cam", "sim", "--to", ":5", "--key", "short"], 2, "':5' has no host."),
        (["camera", "--cam", "sim", "--to", "rig", "--name", "a b"], 2, "'a b' is not a valid camera name."),
        (["camera", "--cam", "sim", "--to", "rig", "--size", "640"], 2, "'640' is not an image size."),
        (["camera", "--cam", "sim", "--to", "rig"], 2, "No key is given, and none is stored on this machine."),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["rnu"], 2, "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--camz", "0"], 2, "No such option: --camz"),
        (["replay", "a.mcap", "b.mcap"], 2, "Got unexpected extra argument"),
    ],
)  # fmt: skip
def test_wrong_use_ends_in_one_sentence(
    arguments: list[str], code: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    got, output = pose_rig(*arguments)
    assert " ".join(output.split()).count(text) == 1, output
    assert "Traceback" not in output
    assert got == code


def test_debug_shows_the_traceback() -> None:
    code, output = pose_rig_process("run", "--cams", "missing.mp4", "--debug")
    assert "Traceback" in output
    assert "Error: There is no file missing.mp4." in output
    assert code == 2


@pytest.mark.parametrize("pace", ["all", "realtime"])
def test_a_file_that_is_no_video_fails_before_anything_starts(tmp_path: Path, pace: str) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"not a video" * 100)
    code, output = pose_rig("run", "--cams", str(clip), "--pace", pace)
    assert f"Error: {clip} cannot be read as a video." in output
    assert "Starting" not in output
    assert code == 2


def test_a_taken_port_is_named() -> None:
    with Sender("tcp://127.0.0.1:0", bind=True) as other:
        port = other.endpoint.rsplit(":", 1)[1]
        code, output = pose_rig("run", "--cams", "sim", "--port", port)
    assert f"Error: Cannot listen on {other.endpoint}: Address already in use" in output
    assert "Choose another port with --port" in output
    assert code == 2


def test_a_wrong_key_in_a_rig_toml_is_named(tmp_path: Path) -> None:
    toml = tmp_path / "rig.toml"
    toml.write_text('hight_m = 1.8\n[[camera]]\nsource = "sim"\n')
    code, output = pose_rig("run", "--cams", str(toml))
    assert "unknown field `hight_m`" in output
    assert code == 2


def test_an_invalid_solved_camera_is_refused(tmp_path: Path) -> None:
    toml = tmp_path / "rig.toml"
    toml.write_text(
        '[[camera]]\nsource = "sim"\nmember = 0\n[camera.solved]\nsize_px = [1280, 720]\nfocal_px = 1000.0\n'
        "translation_m = [0, 0, 4]\nrotation = [[1, 0, 0], [0, 1, 0], [0, 0, 2]]\n"
    )
    code, output = pose_rig("run", "--cams", str(toml))
    assert "Error: The solved part of camera sim0 has a rotation that is not orthonormal." in output
    assert code == 2


def test_help_teaches_by_example() -> None:
    code, output = pose_rig("run", "--help")
    assert code == 0
    for example in ("--cams 0,1,2 --height 1.82", "--cams a.mp4,b.mp4 --pace all", "--cams sim:4", "--cams rig.toml"):
        assert example in output
    for option in (
        "--duration",
        "--headless",
        "--save",
        "--port",
        "--model",
        "--provider",
        "--debug",
        "--rig",
        "--passes",
    ):
        assert option in output


def test_without_arguments_the_commands_are_listed() -> None:
    _, output = pose_rig_process()
    for command in ("run", "demo", "rig", "cams", "doctor"):
        assert f"│ {command} " in output


def panels(output: str) -> dict[str, list[str]]:
    """Returns the first words of the lines in every panel of a help text."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        if match := re.match(r"╭─ (.*?) ─", line):
            lines = found.setdefault(match[1], [])
        elif match := re.match(r"│[ *]+(--[\w-]+)|│ (\w+) ", line):
            lines.append(match[1] or match[2])
    return found


def test_the_help_groups_commands() -> None:
    found = panels(pose_rig("--help")[1])
    assert {panel: found[panel] for panel in PANELS} == {panel: list(commands) for panel, commands in PANELS.items()}
    assert sum(map(len, PANELS.values())) == len(app.registered_commands)


@pytest.mark.parametrize("name", [name for commands in PANELS.values() for name in commands])
def test_every_command_is_described_in_one_sentence(name: str) -> None:
    function = next(commands[name] for commands in PANELS.values() if name in commands)
    first = (inspect.getdoc(function) or "").split("\n\n")[0]
    assert first.count("\n") == 0
    assert first.endswith(".")


def test_the_help_groups_options() -> None:
    found = panels(pose_rig("run", "--help")[1])
    assert list(found) == ["Options", "Cameras", "Rig", "Recordings", "Output", "Detection and fusion", "Engines"]
    assert found["Cameras"] == ["--cams", "--phones", "--moving"]
    assert found["Recordings"] == ["--pace", "--passes", "--exact"]
    assert found["Output"] == ["--port", "--save", "--record", "--video", "--view", "--host", "--web-port"]
    assert found["Options"] == ["--duration", "--force", "--headless", "--debug", "--help"]
    assert "--vmc" in found["Engines"]
    assert "--height" in found["Rig"]


def test_cams_lists_the_connected_cameras() -> None:
    code, output = pose_rig("cams")
    assert code == 0
    assert "No camera is connected" in output or "stable name" in output


def test_the_doctor_runs_every_check() -> None:
    code, output = pose_rig_process("doctor")
    for subject in ("python", "packages", "mediapipe", "models", "inference", "cameras", "network", "disk"):
        assert any(line.split()[1:2] == [subject] for line in output.splitlines()), output
    assert code == (1 if any(line.startswith("fail") for line in output.splitlines()) else 0)


COMMANDS = {
    command.name or command.callback.__name__: command.callback
    for command in app.registered_commands
    if command.callback is not None
}


def test_the_version_is_printed() -> None:
    assert pose_rig("--version") == (0, f"pose-rig {version('pose-rig')}\n")


def test_a_module_that_is_run_is_the_command() -> None:
    assert pose_rig_process("--version") == (0, f"pose-rig {version('pose-rig')}\n")
    code, output = pose_rig_process("frobnicate")
    assert "Usage: pose-rig [OPTIONS] COMMAND" in output
    assert code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loses_no_brackets(command: str) -> None:
    """Help is written in a markup that takes words in brackets for styles."""
    code, output = pose_rig(command, "--help")
    assert code == 0
    written = COMMANDS[command].__doc__ or ""
    for bracket in re.findall(r"\\(\[[a-z/]+\])", written):
        assert bracket in output
    assert "\\[" not in output


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_fit_a_terminal_of_80_columns(command: str) -> None:
    paragraphs = (inspect.getdoc(COMMANDS[command]) or "").split("\n\n")
    kept = [line for text in paragraphs if text.startswith("\b") for line in text.splitlines()]
    assert [line for line in kept if len(line) > 78] == []


def test_the_help_of_view_says_what_to_install() -> None:
    _, output = pose_rig("view", "--help")
    assert "pip install 'pose-rig[view]'" in output


def test_run_demo_record_and_replay_share_their_options() -> None:
    def options(command: str) -> set[str]:
        return set(re.findall(r"^│[ *]+(--[a-z-]+)", pose_rig(command, "--help")[1], re.MULTILINE))

    every = options("run")
    assert {"--cams", "--record", "--height", "--vrchat", "--duration", "--save", "--rig", "--force"} <= every
    assert every ^ options("demo") == {"--cams", "--laps", "--phones"}
    assert every ^ options("record") == {"--record", "--out"}
    streamed = {"--vmc", "--vrchat", "--json", "--websocket", "--avatar", "--lead", "--foot-lock", "--stream-rate"}
    assert streamed | {"--save", "--record", "--force"} <= options("replay")


def test_the_shell_completes_commands_and_options() -> None:
    for typed, complete in (("pose-rig re", "record"), ("pose-rig run --hea", "--headless")):
        environment = {**os.environ, "_POSE_RIG_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(
            len(typed.split()) - 1
        )}  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "pose_rig"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert complete in done.stdout.split()


def test_help_needs_no_heavy_library() -> None:
    heavy = ("cv2", "mediapipe", "torch", "onnxruntime", "matplotlib", "mcap", "rerun")
    code = f"import sys; sys.modules.update(dict.fromkeys({heavy}))\nfrom pose_rig.__main__ import main; main()"
    for words in (["--help"], ["run", "--help"], ["convert", "--help"], ["plot", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    interrupted = typer.Typer()
    interrupted.command(cls=Command)(as_command(interrupt))
    result = CliRunner().invoke(interrupted, [])
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_while_it_is_loaded_is_quiet_as_well(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-m", "pose_rig", "doctor"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("words", [["doctor"], ["cams"], ["--help"], ["run", "--help"]], ids=" ".join)
def test_a_closed_pipe_gives_no_traceback(words: list[str]) -> None:
    """As in ``pose-rig doctor | head -1``."""
    command = [sys.executable, "-m", "pose_rig", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


def test_the_demo_may_be_run_again_and_plays_as_long_as_is_wanted() -> None:
    assert [laps_of(seconds) for seconds in (None, 5.0, 60.0, 1e9, float("nan"))] == [19, 2, 19, 1000, 19]
