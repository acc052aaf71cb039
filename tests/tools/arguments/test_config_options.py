import tomllib
from typing import get_type_hints

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from pose_rig.config import MAX_PEOPLE, Config, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.config_options import KEYS, ConfigOptions, Keys
from pose_rig.tools.cli.app import app
from pose_rig.tools.cli.command import Command, as_command

RUN = ["run", "--cams", "sim:2", "--headless", "--duration", "1", "--port", "0"]
# key → how its value is typed, and how it is written in a rig.toml
EXAMPLES = {
    "height_m": ("1.82", "1.82"),
    "pace": ("all", '"all"'),
    "people": ("2", "2"),
    "passes": ("2", "2"),
    "exact": ("", "true"),
    "rig": ("a.toml", '"a.toml"'),
    "port": ("0", "0"),
    "save": ("p.npz", '"p.npz"'),
    "record": ("s.mcap", '"s.mcap"'),
    "video": ("", "true"),
    "duration_s": ("5", "5.0"),
    "view": ("", "true"),
    "phones": ("3", "3"),
    "host": ("192.168.1.5", '"192.168.1.5"'),
    "web_port": ("9000", "9000"),
    "detector.model": ("lite", '"lite"'),
    "detector.people": ("3", "3"),
    "fusion.rate_hz": ("100", "100.0"),
    "fusion.max_delay_ms": ("300", "300.0"),
    "fusion.weights": ("w.onnx", '"w.onnx"'),
    "fusion.provider": ("cpu", '"cpu"'),
    "stream.vmc": ("a/unreal,b", '["a/unreal", "b"]'),
    "stream.vrchat": ("a", '["a"]'),
    "stream.json": ("a, b", '["a", "b"]'),
    "stream.websocket": ("39571", '"39571"'),
    "stream.token": ("secret", '"secret"'),
    "stream.origins": ("https://a", '["https://a"]'),
    "stream.avatar": ("me.vrm", '"me.vrm"'),
    "stream.scale": ("body", '"body"'),
    "stream.root": ("root", '"root"'),
    "stream.trackers": ("hip,chest", '["hip", "chest"]'),
    "stream.lead": ("60", "60.0"),
    "stream.foot_lock": ("", "true"),
    "stream.rate_hz": ("30", "30.0"),
}


def typed(*words: str) -> ConfigOptions:
    """Returns the options of a command line."""
    got: list[ConfigOptions] = []

    def act(options: ConfigOptions) -> None:
        got.append(options)

    one = typer.Typer()
    one.command(cls=Command)(as_command(act))
    result = CliRunner().invoke(one, words)
    assert result.exit_code == 0, result.output
    return got[0]


def test_every_option_of_the_table_is_tried_here() -> None:
    assert set(EXAMPLES) == set(KEYS)
    assert len({key.flag for key in KEYS.values()}) == len(KEYS)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_option_and_its_key_are_equivalent(path: str) -> None:
    word, toml = EXAMPLES[path]
    key = KEYS[path]
    flag = [key.flag] if key.type is bool else [key.flag, word]
    receiver = ["--vmc", "x"] if key.table == "stream" and path != "stream.vmc" else []
    written = f"{path} = {toml}" + ('\nstream.vmc = ["x"]' if receiver else "")
    assert typed(*flag, *receiver).applied_to(Config()) == msgspec.convert(tomllib.loads(written), Config)


def test_every_key_is_an_option_except_these() -> None:
    tables = {"": Config, **{name: type(getattr(Config(), name)) for name in ("detector", "fusion", "stream")}}
    every = {
        f"{table}.{name}" if table else name
        for table, record in tables.items()
        for name in get_type_hints(record)
    }  # fmt: skip
    assert every - set(KEYS) == {
        "camera", "other_heights_m", "detector", "fusion", "stream", "detector.min_confidence", "fusion.min_cutoff_hz",
        "fusion.beta",
    }  # fmt: skip


def test_options_that_are_not_given_change_nothing() -> None:
    written = Config(stream=StreamConfig(vmc=("studio/godot",), lead=30.0, rate_hz=30.0), port=7, video=True)
    assert typed().applied_to(written) == written
    streaming = typed("--lead", "auto", "--trackers", "hip, chest", "--websocket", "39571").applied_to(written).stream
    assert streaming == StreamConfig(
        vmc=("studio/godot",), lead="auto", rate_hz=30.0, trackers=("hip", "chest"), websocket="39571"
    )


def test_lists_are_separated_by_commas_repeated_or_both() -> None:
    options = typed(
        "--vmc", "a, b/unreal", "--vmc", "c", "--vrchat", "d,e", "--json", "f", "--json", "g,h", "--origin", "i,j",
        "--trackers", "hip", "--trackers", "chest,feet",
    )  # fmt: skip
    assert options.applied_to(Config()).stream == StreamConfig(
        vmc=("a", "b/unreal", "c"),
        vrchat=("d", "e"),
        json=("f", "g", "h"),
        origins=("i", "j"),
        trackers=("hip", "chest", "feet"),
    )


def test_heights_of_several_people_are_one_option() -> None:
    written = Config(height_m=1.9, other_heights_m=(1.6, 1.5), people=3)
    both = typed("--height", "1.82, 1.65").applied_to(written)
    assert (both.height_m, both.other_heights_m) == (1.82, (1.65,))
    one = typed("--height", "1.82").applied_to(written)
    assert (one.height_m, one.other_heights_m) == (1.82, ())
    assert typed("--height", "1.82,1.65", "--detect-people", "4").typed() == {
        "height": [1.82, 1.65],
        "detect-people": 4,
    }
    assert typed("--height", "1.82", "--vmc", "a").typed() == {"height": 1.82, "vmc": ("a",)}


@pytest.mark.parametrize("text", ["tall", "1.82,", "1.82;1.65", ""])
def test_invalid_heights_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--height must be numbers separated by commas; got '.*'\."):
        KEYS["height_m"].values(text)


def test_as_many_people_as_there_are() -> None:
    assert typed("--people", "auto").applied_to(Config()).people == MAX_PEOPLE
    for text in ("all", "1.5", ""):
        with pytest.raises(UsageError, match=r"^--people must be a whole number or auto; got "):
            KEYS["people"].value(text)


def test_an_invalid_lead_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        KEYS["stream.lead"].value("soon")
    assert (error.value.cause, error.value.remedy) == (
        "--lead must be a number or auto; got 'soon'.",
        "Example: --lead 60.",
    )


def test_keys_are_selected_by_path_and_table() -> None:
    def paths(keys: Keys) -> list[str]:
        return [key.path for key in keys.selected()]

    assert paths(Keys()) == list(KEYS)
    assert paths(Keys(only=("save", "detector.*"))) == ["save", "detector.model", "detector.people"]
    assert paths(Keys(without=("record",))) == [path for path in KEYS if path != "record"]


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--vmc", "127.0.0.1/maya"], "Unknown choice 'maya' after the slash in '127.0.0.1/maya'."),
        (["--vmc", "127.0.0.1:99999"], "'99999' in '127.0.0.1:99999' is not a port number."),
        (["--vmc", "127.0.0.1@0"], "'0' after the @ of 127.0.0.1 is not the number of a person."),
        (["--vrchat", "127.0.0.1@2"], "There is a target of person 2, but one person is tracked."),
        (["--people", "2", "--json", "127.0.0.1@3"], "There is a target of person 3, but 2 people are tracked."),
        (["--people", "2", "--vmc", "a,a@2"], "a:39539 would receive several people as one."),
        (["--json", "127.0.0.1/maya"], "Unknown choice 'maya' after the slash in '127.0.0.1/maya'."),
        (["--websocket", "a:port"], "'port' in 'a:port' is not a port number."),
        (["--vmc", "127.0.0.1", "--lead", "900"], "A lead of 900 ms is out of range."),
        (["--vmc", "127.0.0.1", "--stream-rate", "0"], "A stream rate of 0 Hz is out of range."),
        (["--vmc", "127.0.0.1", "--avatar", "none.vrm"], "The avatar none.vrm does not exist."),
        (["--vmc", "127.0.0.1", "--scale", "avatar"], "--scale avatar needs an avatar."),
        (["--vrchat", "127.0.0.1", "--trackers", "tail"], "Unknown VRChat tracker 'tail'."),
        (["--foot-lock"], "No receiver is given for --foot-lock."),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(options: list[str], cause: str) -> None:
    result = CliRunner().invoke(app, [*RUN, *options])
    assert result.exit_code == 2
    assert cause in result.output
    assert "Traceback" not in result.output
