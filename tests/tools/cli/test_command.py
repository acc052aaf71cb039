"""From words to commands, and from groups of options to options."""

import inspect
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import pose_rig as pose_rig_package
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.cli.app import app
from pose_rig.tools.cli.command import (
    RENAMED,
    Command,
    as_command,
    unwrapped,
    with_present_names,
    with_repeated_cams,
    with_simulated_files,
)
from tests.tools.cli.test_app import pose_rig
from tests.tools.sessions import sample, write_session


@pytest.mark.parametrize(
    ("words", "gathered_words"),
    [
        ("--cams a b c --pace all", "--cams a --cams b --cams c --pace all"),
        ("--height 1.8 --cams a b", "--height 1.8 --cams a --cams b"),
        ("--cams a --cams b c", "--cams a --cams b --cams c"),
        ("--cams a,b --height 1.8 c", "--cams a,b --height 1.8 c"),
        ("--cams=a b", "--cams=a b"),
        ("--cams", "--cams"),
        ("--cams --headless", "--cams --headless"),
    ],
)
def test_words_after_cams_are_all_cameras(words: str, gathered_words: str) -> None:
    assert with_repeated_cams(words.split()) == gathered_words.split()


def test_a_pattern_that_the_shell_expanded_reaches_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        Path(name).write_text("no video")
    for command in ("run", "record"):
        for cams in (("a.mp4", "b.mp4", "c.mp4"), ("a.mp4,b.mp4", "c.mp4"), ("*.mp4",), (".",)):
            code, output = pose_rig(command, "--cams", *cams, "--moving", "a,9")
            assert "Unknown camera '9' in --moving. The cameras are 0 a, 1 b, 2 c; or all." in " ".join(output.split())
            assert code == 2


@pytest.mark.parametrize(("command", "old"), [(command, old) for command, names in RENAMED.items() for old in names])
def test_old_names_still_work_warn_and_are_not_in_the_help(
    command: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = RENAMED[command][old]
    assert with_present_names(command, [old, "7", "--headless"]) == [new, "7", "--headless"]
    warning = f"{old} is now {new}; the old name is removed in the next release.\n"
    assert capsys.readouterr().err == warning
    assert with_present_names(command, [f"{old}=7"]) == [f"{new}=7"]
    assert capsys.readouterr() == ("", warning)
    _, output = pose_rig(command, "--help")
    listed = [word for line in output.splitlines() if line.startswith("│") for word in line.split()[1:3]]
    assert new in listed
    assert (old in listed) == (old in ("--to",) and command == "convert")


def test_new_names_do_not_warn(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--start", "1", "--end", "2", "--to", "bvh", "from", "--from-here"]
    assert with_present_names("convert", words) == words
    assert with_present_names("eval", ["--from", "1"]) == ["--from", "1"]
    assert capsys.readouterr().err == ""


def test_no_message_names_a_former_option() -> None:
    source = Path(inspect.getfile(Command)).parents[1]
    for path in source.rglob("*.py"):
        text = path.read_text("utf-8")
        assert path.name == "command.py" or not re.search(r"--(from|until)\b", text), path


def test_a_part_is_converted_under_new_and_old_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_session(tmp_path / "take.mcap", sample())
    for folder, start, end in (("new", "--start", "--end"), ("old", "--from", "--until")):
        code, output = pose_rig("convert", "take.mcap", "--to", "csv", start, "0.5", end, "1", "--out", folder)
        assert code == 0, output
        assert ("--until is now --end" in output) == (folder == "old")
    assert Path("new/take.csv").read_bytes() == Path("old/take.csv").read_bytes()


def test_options_of_the_configuration_are_given_one_by_one() -> None:
    got: list[tuple[str, ConfigOptions, bool]] = []

    def act(
        place: Annotated[str, typer.Argument()],
        options: Annotated[ConfigOptions, Keys(only=("stream.*", "save"))],
        loud: bool = False,
    ) -> None:
        """Does it, [loudly] or not."""
        got.append((place, options, loud))

    app = typer.Typer()
    app.command(cls=Command)(as_command(act))
    result = CliRunner().invoke(app, ["here", "--vmc", "a", "--vmc", "b,c", "--save", "p.npz", "--loud"])
    assert result.exit_code == 0, result.output
    assert got == [("here", ConfigOptions({"stream.vmc": ("a", "b", "c"), "save": "p.npz"}), True)]
    assert "Does it, [loudly] or not." in CliRunner().invoke(app, ["--help"]).output
    assert "--height" not in CliRunner().invoke(app, ["--help"]).output


def test_paragraphs_are_unwrapped_and_examples_are_not() -> None:
    doc = "First.\n\n\b\npose-rig a   one\npose-rig b   two\n\nA paragraph that\ngoes on."
    assert unwrapped(doc) == "First.\n\n\b\npose-rig a   one\npose-rig b   two\n\nA paragraph that goes on."


@pytest.mark.parametrize("command", ["run", "demo", "replay"])
def test_no_line_of_the_help_ends_where_the_source_does(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, output = pose_rig(command, "--help")
    text = [line.strip() for line in output.split("╭")[0].splitlines()]
    short = [line for line, then in pairwise(text) if then and 0 < len(line) < 40 and not line.startswith("pose-rig")]
    assert [line for line in short if line[-1] not in ".:"] == []


@cache
def _options() -> set[str]:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    options = {name for one in group.commands.values() for p in one.params for name in (*p.opts, *p.secondary_opts)}
    return options | {"--help", "--version"}


def test_errors_name_no_option_under_its_old_name() -> None:
    old = {name for names in RENAMED.values() for name in names} - _options()
    assert old
    package = Path(pose_rig_package.__file__).parent
    for path in (*package.rglob("*.py"), *(package.parent / "docs").glob("*.md")):
        if path.name != "command.py":
            assert set(re.findall(r"--[a-z][a-z-]+", path.read_text("utf-8"))) & old == set(), path


def test_every_option_behind_a_command_in_the_docs_is_one_of_it() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    docs = Path(pose_rig_package.__file__).parent.parent / "docs"
    seen = 0
    for path in sorted(docs.glob("*.md")):
        for name, rest in re.findall(r"pose-rig ([a-z]+)( [^`\n#|]*)", path.read_text("utf-8")):
            if command := group.commands.get(name):
                known = {each for p in command.params for each in (*p.opts, *p.secondary_opts)} | {"--help"}
                used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest))
                assert used <= known, f"{path.name}: pose-rig {name}{rest}"
                seen += len(used)
    assert seen > 30


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ("--simulated", "--simulated synthetic"),
        ("--simulated --takes 5", "--simulated synthetic --takes 5"),
        ("--takes 5 --simulated", "--takes 5 --simulated synthetic"),
        ("--simulated a.npz --simulated b.npz", "--simulated a.npz --simulated b.npz"),
        ("--simulated a.npz --simulated", "--simulated a.npz --simulated synthetic"),
        ("--simulated=a.npz -h", "--simulated=a.npz -h"),
        ("", ""),
    ],
)
def test_simulated_without_a_file_is_synthetic_motion(line: str, full: str) -> None:
    assert with_simulated_files(line.split()) == full.split()
