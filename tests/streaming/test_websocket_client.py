import asyncio
from contextlib import suppress

import pytest

from pose_rig.streaming.axes import RIG, UNITY
from pose_rig.streaming.websocket_client import Client, ClientOptions

S = 1_000_000_000


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/", ClientOptions()),
        ("/?axes=unity", ClientOptions(UNITY)),
        ("/?refined=1", ClientOptions(RIG, True)),
        ("/?refined=false&rate=30", ClientOptions(RIG, False, 30.0)),
        ("/anything?axes=rig&axes=unity", ClientOptions(UNITY)),
    ],
)
def test_options_are_read_from_the_path(path: str, options: ClientOptions) -> None:
    assert ClientOptions.from_path(path) == options


def test_other_options_are_unchanged() -> None:
    options = ClientOptions(UNITY, True, 10.0)
    assert options.updated({}) == options
    assert options.updated({"rate": 5}) == ClientOptions(UNITY, True, 5.0)


@pytest.mark.parametrize(
    "changes", [{"axes": 3}, {"axes": None}, {"rate": "3"}, {"rate": 0}, {"refined": None}, {"": 1}]
)
def test_invalid_options_are_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ClientOptions().updated(changes)


def test_only_the_newest_frame_is_queued_and_the_schema_is_sent_when_it_changes() -> None:
    async def scene() -> list[list[bytes]]:
        client, got = Client(ClientOptions()), []
        for said, seen in ((b"s", b"1"), (b"s", b"2")):
            client.put(said, seen, S)
        got.append(await client.get())
        client.put(b"s", b"3", S)
        got.append(await client.get())
        client.put(b"t", b"4", S)
        got.append(await client.get())
        return got

    assert asyncio.run(scene()) == [[b"s", b"2"], [b"3"], [b"t", b"4"]]


def test_the_rate_of_a_client_is_kept() -> None:
    async def scene() -> int:
        client, taken = Client(ClientOptions(rate_hz=10.0)), 0
        for i in range(60):
            client.put(b"s", b"%d" % i, S + i * S // 60)
            with suppress(TimeoutError):
                await asyncio.wait_for(client.get(), 0.002)
                taken += 1
        return taken

    assert 10 <= asyncio.run(scene()) <= 11
