import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address, parse_listen_address, parse_target

PROFILES = ("unity", "godot")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1", Address("127.0.0.1", 39539, "unity")),
        ("127.0.0.1:1", Address("127.0.0.1", 1, "unity")),
        ("studio/godot", Address("studio", 39539, "godot")),
        ("studio:7004/godot", Address("studio", 7004, "godot")),
        ("[::1]", Address("::1", 39539, "unity")),
        ("[fe80::1]:65535/godot", Address("fe80::1", 65535, "godot")),
    ],
)
def test_missing_parts_have_defaults(text: str, wanted: Address) -> None:
    assert parse_target(text, 39539, PROFILES) == wanted


def test_str_of_an_address_parses_to_it() -> None:
    assert [str(parse_target(text, 1)) for text in ("a:2", "[::1]:3")] == ["a:2", "[::1]:3"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("studio/maya", "Unknown choice 'maya' after the slash in 'studio/maya'."),
        ("studio/", "Unknown choice '' after the slash in 'studio/'."),
        ("studio:0", "'0' in 'studio:0' is not a port number."),
        ("studio:70000", "'70000' in 'studio:70000' is not a port number."),
        ("studio:ten", "'ten' in 'studio:ten' is not a port number."),
        ("studio:-1", "'-1' in 'studio:-1' is not a port number."),
        ("studio:٣", "'٣' in 'studio:٣' is not a port number."),
        ("::1", "':1' in '::1' is not a port number."),
        ("[::1", "'[::1' is not an address."),
        ("[::1]39539", "'[::1]39539' is not an address."),
        ("my studio", "'my studio' is not an address."),
        ("", "'' has no host."),
        (":39539", "':39539' has no host."),
    ],
)
def test_syntax_errors_are_reported(text: str, cause: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_target(text, 39539, PROFILES)
    assert error.value.cause == cause
    assert "127.0.0.1" in error.value.remedy or "unity" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1@2", Address("127.0.0.1", 39539, "unity", 1)),
        ("127.0.0.1:39540@1", Address("127.0.0.1", 39540, "unity", 0)),
        ("studio:39540/godot@6", Address("studio", 39540, "godot", 5)),
        ("[::1]@3", Address("::1", 39539, "unity", 2)),
        ("studio", Address("studio", 39539, "unity", None)),
    ],
)
def test_a_person_follows_the_at_sign(text: str, address: Address) -> None:
    assert parse_target(text, 39539, PROFILES) == address


@pytest.mark.parametrize("number", ["", "0", "-1", "two", "100", "1.5", "2@3", "²"])
def test_people_are_counted_from_1(number: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_target(f"studio:39540@{number}", 39539, PROFILES)
    assert error.value.cause == f"{number!r} after the @ of studio:39540 is not the number of a person."
    assert error.value.remedy == "People are counted from 1: @2 is the second."


def test_without_choices_there_is_no_choice() -> None:
    assert parse_target("studio", 9000) == Address("studio", 9000)
    with pytest.raises(UsageError) as error:
        parse_target("studio/unity", 9000)
    assert error.value.remedy == "Write it like 127.0.0.1:9000."


def test_the_default_is_to_listen_on_this_machine_only() -> None:
    assert parse_listen_address("39571", 1) == Address("127.0.0.1", 39571)
    everywhere = "0.0.0.0"  # noqa: S104
    assert parse_listen_address(f"{everywhere}:39571", 1) == Address(everywhere, 39571)
    assert parse_listen_address(everywhere, 39571) == Address(everywhere, 39571)


@pytest.mark.parametrize("text", ["", "0", "99999", "studio:", ":5"])
def test_an_invalid_listen_address_is_rejected(text: str) -> None:
    with pytest.raises(UsageError):
        parse_listen_address(text, 39571)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    for listens in (False, True):
        try:
            address = parse_listen_address(text, 39571) if listens else parse_target(text, 39539, PROFILES)
        except UsageError:
            continue
        assert address.host
        assert 1 <= address.port <= 65535


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True), ("0.0.0.0", False), ("::", False),  # noqa: S104
     ("192.168.0.7", False), ("studio", False), ("localhost.example", False), ("127.0.0.1.example", False)],
)  # fmt: skip
def test_only_loopback_is_loopback(host: str, loopback: bool) -> None:
    assert Address(host, 1).is_loopback == loopback
