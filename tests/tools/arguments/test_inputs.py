"""Every command that takes files, and every kind of file that it might be given."""

import re
from pathlib import Path

import pytest

from pose_rig.config import Config, DetectorConfig, FusionConfig, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments import file_types, inputs
from pose_rig.tools.arguments.inputs import FileInput, check_files, check_input
from tests.tools.cli.test_app import pose_rig
from tests.tools.sample_files import FILES, make

INPUTS = {name: wanted for name, wanted in vars(inputs).items() if isinstance(wanted, FileInput)}
# command → how it is given a file
COMMANDS: dict[str, tuple[FileInput, tuple[str, ...]]] = {
    "run --cams": (inputs.CAMS, ("run", "--cams", "{}")),
    "record --cams": (inputs.CAMS, ("record", "--cams", "{}")),
    "run --weights": (inputs.RIG_WEIGHTS, ("run", "--cams", "sim", "--weights", "{}")),
    "run --model": (inputs.MODEL, ("run", "--cams", "sim", "--model", "{}")),
    "run --avatar": (inputs.AVATAR, ("run", "--cams", "sim", "--vmc", "127.0.0.1", "--avatar", "{}")),
    "replay": (inputs.REPLAY_INPUT, ("replay", "{}")),
    "convert": (inputs.CONVERT_INPUT, ("convert", "{}", "--to", "bvh")),
    "plot": (inputs.PLOT_INPUT, ("plot", "{}")),
    "view": (inputs.VIEW_INPUT, ("view", "{}")),
    "recover": (inputs.RECOVER_INPUT, ("recover", "{}")),
    "rig": (inputs.RIG_INPUT, ("rig", "{}")),
    "import": (inputs.IMPORT_INPUT, ("import", "{}")),
    "export": (inputs.EXPORT_INPUT, ("export", "{}")),
    "train": (inputs.TRAIN_INPUT, ("train", "{}")),
    "train --weights": (inputs.LIFTER_WEIGHTS, ("train", "--simulated", "motion.npz", "--weights", "{}")),
    "train --simulated": (inputs.MOTION_INPUT, ("train", "--simulated", "{}")),
    "eval --weights": (inputs.LIFTER_WEIGHTS, ("eval", "--simulated", "motion.npz", "--weights", "{}")),
    "eval --simulated": (inputs.MOTION_INPUT, ("eval", "--simulated", "{}")),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of every kind."""
    folder = tmp_path_factory.mktemp("files")
    for name in FILES:
        make(folder, name)
    return folder


@pytest.mark.parametrize("taker", INPUTS)
def test_every_input_accepts_its_types_and_names_the_type_of_others(files: Path, taker: str) -> None:
    wanted = INPUTS[taker]
    for name, (kind, _) in FILES.items():
        path = files / name
        if kind in (*wanted.types, *wanted.also):
            assert check_input(path, wanted) is kind
            continue
        with pytest.raises(UsageError) as caught:
            check_input(path, wanted)
        cause, remedy = caught.value.cause, caught.value.remedy
        assert str(path) in cause
        assert cause.endswith(".")
        assert remedy.endswith((".", "?"))
        if kind not in (file_types.MISSING, file_types.UNREADABLE, file_types.EMPTY):
            assert cause == f"{path} is {kind.name}: {wanted.of} takes {wanted.accepted}."


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_other_types_before_anything_starts(
    files: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    wanted, arguments = COMMANDS[command]
    for name in ("loop.mp4", "empty.mp4", "walk.mcap", "poses.npz", "clip.mp4", "me.vrm", "lifter.pt", "photo.jpg"):
        kind = FILES[name][0]
        if kind in (*wanted.types, *wanted.also):
            continue
        code, output = pose_rig(*(argument.format(name) for argument in arguments))
        said = {file_types.UNREADABLE: f"Cannot read {name}.", file_types.EMPTY: f"{name} is empty."}
        assert f"Error: {said.get(kind, f'{name} is {kind.name}: {wanted.of} takes {wanted.accepted}.')}" in output
        assert output.count("\n") == 2, output
        assert code == 2
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reports_a_missing_file(files: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(files)
    code, output = pose_rig(*(argument.format("missing.npz") for argument in COMMANDS[command][1]))
    assert re.match(r"Error: (There (is no file|are no weights at|is no detector model)|The avatar) '?missing", output)
    assert code == 2


@pytest.mark.parametrize(
    ("name", "wanted", "hint"),
    [
        ("walk.mcap", inputs.RIG_INPUT, "pose-rig view walk.mcap"),
        ("walk.mcap", inputs.CAMS, "pose-rig replay walk.mcap"),
        ("poses.npz", inputs.CAMS, "pose-rig plot poses.npz"),
        ("poses.npz", inputs.VIEW_INPUT, "pose-rig plot poses.npz"),
        ("keypoints.npz", inputs.CONVERT_INPUT, "pose-rig import keypoints.npz"),
        ("motion.npz", inputs.TRAIN_INPUT, "pose-rig train --simulated motion.npz"),
        ("motion.npz", inputs.PLOT_INPUT, "pose-rig eval --simulated motion.npz"),
        ("lifter.pt", inputs.RIG_WEIGHTS, "pose-rig export lifter.pt"),
        ("lifter.pt", inputs.TRAIN_INPUT, "pose-rig train take.mcap --weights lifter.pt"),
        ("my.weights", inputs.MODEL, "pose-rig run --cams 0,1 --weights my.weights"),
        ("me.vrm", inputs.CAMS, "pose-rig run --cams 0,1 --vmc 127.0.0.1 --avatar me.vrm"),
        ("clip.mp4", inputs.IMPORT_INPUT, "pose-rig run --cams clip.mp4"),
        ("rig.toml", inputs.PLOT_INPUT, "pose-rig rig rig.toml"),
    ],
)
def test_the_right_command_is_suggested(
    files: Path, monkeypatch: pytest.MonkeyPatch, name: str, wanted: FileInput, hint: str
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(UsageError) as caught:
        check_input(Path(name), wanted)
    assert caught.value.remedy == f"Did you mean `{hint}`?"


def test_the_name_of_a_file_with_spaces_is_quoted(tmp_path: Path) -> None:
    path = make(tmp_path, "walk.mcap").rename(tmp_path / "my walk.mcap")
    with pytest.raises(UsageError, match=f"Did you mean `pose-rig view '{path}'`"):
        check_input(path, inputs.RIG_INPUT)


def test_a_type_with_a_required_suffix_must_have_it(tmp_path: Path) -> None:
    path = make(tmp_path, "poses.npz").rename(tmp_path / "poses.bin")
    with pytest.raises(UsageError, match=r"is a poses file, but its name does not end in \.npz\. Rename it\."):
        check_input(path, inputs.PLOT_INPUT)


def test_an_unfinished_session_is_found(tmp_path: Path) -> None:
    make(tmp_path, "fall.mcap.partial")
    assert check_input(tmp_path / "fall.mcap", inputs.REPLAY_INPUT) is file_types.CUT_OFF


@pytest.mark.parametrize(
    ("config", "of"),
    [
        (Config(fusion=FusionConfig(weights="walk.mcap")), "--weights"),
        (Config(detector=DetectorConfig(model="walk.mcap")), "--model"),
        (Config(stream=StreamConfig(avatar="walk.mcap")), "--avatar"),
        (Config(rig="walk.mcap"), "--rig"),
    ],
)
def test_files_named_in_a_rig_toml_are_checked(
    files: Path, monkeypatch: pytest.MonkeyPatch, config: Config, of: str
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(UsageError, match=f"walk.mcap is a session: {of} takes"):
        check_files(config)


def test_missing_files_of_a_rig_toml_are_not_checked_here() -> None:
    check_files(Config(rig="new.toml", detector=DetectorConfig(model="full")))
