"""What may be a name, and what a terminal is given."""

import pytest

from pose_rig.errors import MessageError, UsageError
from pose_rig.names import as_name, is_label, is_name, shown
from pose_rig.skeleton import landmarks
from pose_rig.wire.encoding import decode, encode
from pose_rig.wire.messages import CameraState, Health, RigState

HOSTILE = ("..", ".", "", "../../x", "a/b", "a\\b", "a b", "[red]", "\x1b]0;pwn\x07", "x" * 65, "a\n", "\u202ea", "é")


@pytest.mark.parametrize("text", HOSTILE)
def test_invalid_names_become_valid(text: str) -> None:
    assert not is_name(text)
    assert is_name(as_name(text))
    assert as_name(as_name(text)) == as_name(text)


@pytest.mark.parametrize("text", ["cam0", "left", "192.168.1.20", "a-2", "_", ".hidden", "take.1", "x" * 40])
def test_a_valid_name_is_unchanged(text: str) -> None:
    assert is_name(text)
    assert as_name(text) == text


@pytest.mark.parametrize("text", ["con", "NUL", "com1", "lpt9.txt", "Aux.mcap", "x.", "x..."])
def test_names_of_windows_devices_are_changed(text: str) -> None:
    assert as_name(text) != text
    assert as_name(as_name(text)) == as_name(text)


def test_a_label_is_one_short_printable_line_without_commas() -> None:
    assert all(is_label(text) for text in ("l_wrist", "LEFT HIP", "rechte Hüfte", "[red]", "x" * 64))
    assert not any(is_label(text) for text in ("", "a,b", "a\nb", "a\tb", "\x1b[31m", "\u202e", "x" * 65))
    with pytest.raises(UsageError, match=r"^The landmark set .* has invalid names\. Names are short"):
        landmarks("left_hip,right_hip,left_shoulder,right_shoulder,\x1b]0;pwn\x07")


def test_control_characters_are_not_shown() -> None:
    assert shown("\x1b]0;pwn\x07 \x9b31m\x7f\r\u202e") == "?]0;pwn? ?31m???"
    assert shown("Über 3 °C\tand\nmore […] × –") == "Über 3 °C\tand\nmore […] × –"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Health(worker="../x", t_ns=0, state="running"), "worker"),
        (RigState(t_ns=0, mode="cold", cameras=(CameraState(name="[red]", focal_px=1.0),)), "cameras"),
    ],
)
def test_messages_with_an_invalid_name_are_not_encoded(message: Health | RigState, field: str) -> None:
    with pytest.raises(MessageError, match=f"field '{field}'.* not a valid name"):
        encode(message)


def test_names_of_landmarks_are_sent_unchanged() -> None:
    health = Health(worker="cam0", t_ns=0, state="running", error="\x1b[31m")
    assert decode(encode(health)) is not None  # what people are told is cleaned where it is printed
