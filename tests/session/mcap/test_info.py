from dataclasses import replace
from importlib.metadata import version

import msgspec
import pytest

from pose_rig.config import CameraConfig, Config, SolvedCamera
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import CHECKSUM, SessionInfo, new_info
from tests.session.recorded import rig_of

SOLVED = SolvedCamera(
    size_px=(1280, 720), rotation=((1, 0, 0), (0, 1, 0), (0, 0, 1)), translation_m=(0.1, 1 / 3, 4.0), focal_px=1000 / 3
)
CONFIG = Config(camera=(CameraConfig(source="0", name="left", solved=SOLVED), CameraConfig(source="1", name="right")))


def test_the_header_has_versions_machine_time_and_configuration() -> None:
    info = new_info(CONFIG, "live", 1_700_000_000_000_000_001, 1_699_999_999_000_000_007)
    assert info.versions["pose_rig"] == version("pose-rig")
    assert info.versions["numpy"] == version("numpy")
    assert "" not in info.versions.values()
    assert info.machine.count(", ") == 3
    assert info.cameras == ("left", "right")
    assert info.origin == "live"
    assert info.config == CONFIG  # to the last bit: replays rest on it


def test_it_comes_back_from_text() -> None:
    info = new_info(CONFIG, "files", 1_700_000_000_000_000_001, -5)
    text = info.to_metadata()
    assert all(isinstance(value, str) for value in text.values())
    assert SessionInfo.from_metadata(text) == info


NOT_EARLIER = (CHECKSUM, "recording", "part")  # what earlier versions did not write


def test_a_head_without_its_checksum_is_not_believed() -> None:
    text = new_info(CONFIG, "live", 1, 1).to_metadata()
    del text[CHECKSUM]
    with pytest.raises(SessionError, match=r"^The header of the session is damaged\."):
        SessionInfo.from_metadata(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("versions", "[]"), ("started_unix_ns", "today"), ("unix_from_rig_ns", ""), ("cameras", "{"),
        ("started_unix_ns", "9" * 25), ("unix_from_rig_ns", "-9" + "0" * 20),
        ("cameras", "[1]"), ("origin", "heaven"), ("machine", None), ("config", None),
    ],
)  # fmt: skip
def test_a_damaged_header_is_a_clear_error(key: str, value: str | None) -> None:
    text: dict[str, str | None] = {**new_info(CONFIG, "live", 1, 1).to_metadata(), key: value}
    kept = {name: said for name, said in text.items() if said is not None}
    with pytest.raises(SessionError, match=r"^The header of the session is damaged\. Other MCAP readers may"):
        SessionInfo.from_metadata(kept)
    for later in NOT_EARLIER:
        del kept[later]
    with pytest.raises(SessionError, match=r"^The header of the session is damaged: .*\. Other MCAP readers may"):
        SessionInfo.from_metadata(kept)


@pytest.mark.parametrize("key", ["started_unix_ns", "unix_from_rig_ns", "machine", "config", "origin", "versions"])
def test_a_head_in_which_a_digit_has_changed_is_not_believed(key: str) -> None:
    text = new_info(CONFIG, "live", 1_700_000_000_000_000_001, 1_699_999_999_000_000_007).to_metadata()
    text[key] = text[key].replace("1", "3", 1) if "1" in text[key] else text[key].upper()
    with pytest.raises(SessionError, match=r"^The header of the session is damaged\."):
        SessionInfo.from_metadata(text)


@pytest.mark.parametrize(
    "name", [".", "..", "../../home/me/.bashrc", "a/b", "a\\b", "\x1b]0;pwn\x07", "", "x" * 65, "[red]"]
)
def test_a_camera_whose_name_leads_elsewhere_is_refused(name: str) -> None:
    config = Config(camera=(CameraConfig(source="0", name=name),))
    with pytest.raises(SessionError, match=r"^The session has the invalid camera name .*\. Names consist of"):
        SessionInfo.from_metadata(new_info(config, "live", 1, 1).to_metadata())


def test_settings_of_another_version_are_clear_errors() -> None:
    text = new_info(CONFIG, "live", 1, 1).to_metadata()
    for key in NOT_EARLIER:
        del text[key]
    later = SessionInfo.from_metadata({**text, "config": '{"colour":"red"}', "versions": '{"pose_rig":"9.1"}'})
    with pytest.raises(
        SessionError, match=r"recorded by pose-rig 9\.1 with unknown settings: .*colour.*Update pose-rig"
    ):
        _ = later.config
    other = SessionInfo.from_metadata({**text, "config": "[]"})
    with pytest.raises(SessionError, match="with unknown settings"):
        _ = other.config
    with pytest.raises(SessionError, match=r"^The header of the session is damaged: Input data was truncated\."):
        SessionInfo.from_metadata({**text, "config": "{"})
    assert msgspec.json.decode(text["config"])["camera"][0]["name"] == "left"


def test_it_says_how_many_people_were_tracked_at_most() -> None:
    alone, three = rig_of(), rig_of(people=3, other_heights_m=(1.6,))
    for config, people in ((alone, 1), (three, 3)):
        info = SessionInfo.from_metadata(new_info(config, "live", 1, 1).to_metadata())
        assert (info.people, info.config) == (people, config)
    settings = new_info(alone, "live", 1, 1).config_json
    assert "people" not in msgspec.json.decode(settings)  # which earlier versions do not know
    assert "other_heights_m" not in settings
    for odd in ('{"people": "many"}', "[]", "{}"):
        assert replace(new_info(alone, "live", 1, 1), config_json=odd).people == 1
