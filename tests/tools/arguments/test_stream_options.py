import pytest
from typer.testing import CliRunner

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.stream_options import StreamOptions
from pose_rig.tools.cli.app import app

RUN = ["run", "--cams", "sim:2", "--headless", "--duration", "1", "--port", "0"]


def test_what_is_given_wins_and_the_rest_stays() -> None:
    written = StreamConfig(vmc=("studio/godot",), lead=30.0, rate_hz=30.0)
    assert StreamOptions().into(written) == written
    assert StreamOptions(lead="auto", trackers=["hip, chest"], websocket="39571").into(written) == StreamConfig(
        vmc=("studio/godot",), lead="auto", rate_hz=30.0, trackers=("hip", "chest"), websocket="39571"
    )


def test_lists_are_joined_by_commas_given_again_or_both() -> None:
    options = StreamOptions(
        vmc=["a, b/unreal", "c"], vrchat=["d,e"], json=["f", "g,h"], origin=["i,j"], trackers=["hip", "chest,feet"]
    )
    assert options.into(StreamConfig()) == StreamConfig(
        vmc=("a", "b/unreal", "c"),
        vrchat=("d", "e"),
        json=("f", "g", "h"),
        origins=("i", "j"),
        trackers=("hip", "chest", "feet"),
    )


def test_a_lead_that_is_no_time_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        StreamOptions(lead="soon").into(StreamConfig(vmc=("a",)))
    assert (error.value.cause, error.value.remedy) == (
        "A lead of 'soon' is no time.",
        "Give milliseconds, such as --lead 60, or auto.",
    )


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--vmc", "127.0.0.1/maya"], "Unknown choice 'maya' after the slash in '127.0.0.1/maya'."),
        (["--vmc", "127.0.0.1:99999"], "'99999' in '127.0.0.1:99999' is not a port number."),
        (["--json", "127.0.0.1/maya"], "Unknown choice 'maya' after the slash in '127.0.0.1/maya'."),
        (["--websocket", "a:port"], "'port' in 'a:port' is not a port number."),
        (["--vmc", "127.0.0.1", "--lead", "900"], "A lead of 900 ms is out of range."),
        (["--vmc", "127.0.0.1", "--stream-rate", "0"], "A stream rate of 0 Hz is out of range."),
        (["--vmc", "127.0.0.1", "--avatar", "none.vrm"], "The avatar none.vrm does not exist."),
        (["--vmc", "127.0.0.1", "--scale", "avatar"], "--scale avatar needs an avatar."),
        (["--vrchat", "127.0.0.1", "--trackers", "tail"], "Unknown VRChat tracker 'tail'."),
        (["--foot-lock"], "There is nowhere to send the person to."),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(options: list[str], cause: str) -> None:
    result = CliRunner().invoke(app, [*RUN, *options])
    assert result.exit_code == 2
    assert cause in result.output
    assert "Traceback" not in result.output
