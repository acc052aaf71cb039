import asyncio

import pytest

from pose_rig.web.client import MAX_LINES, Outbox, RateLimit, send_all
from tests.web.rig import run_async


class Connection:
    """A WebSocket whose client reads so many messages and then no more."""

    def __init__(self, reads: int) -> None:
        self.received: list[str | bytes] = []
        self._left = reads

    async def send_str(self, data: str) -> None:
        if len(self.received) >= self._left:
            await asyncio.Event().wait()
        self.received.append(data)

    send_bytes = send_str


def test_a_newer_message_replaces_one_of_its_kind_that_waits() -> None:
    async def check() -> None:
        outbox = Outbox()
        outbox.put("pose", "1")
        outbox.put("rig", "2")
        outbox.put("pose", "3")
        outbox.add("line")
        assert await outbox.take() == ["line", "3", "2"]
        assert outbox.dropped == 1
        for number in range(MAX_LINES + 5):
            outbox.add(str(number))
        assert (await outbox.take())[0] == "5"
        assert outbox.dropped == 6

    run_async(check())


def test_a_client_that_never_reads_is_given_up_and_takes_no_memory() -> None:
    async def check() -> None:
        outbox, connection = Outbox(), Connection(2)

        async def stream() -> None:
            for number in range(100_000):
                outbox.put("pose", str(number))
                await asyncio.sleep(0)

        streaming = asyncio.create_task(stream())
        with pytest.raises(TimeoutError):
            await send_all(connection, outbox, timeout_s=0.05)  # type: ignore[arg-type]
        streaming.cancel()
        assert len(connection.received) == 2
        assert len(await outbox.take()) == 1
        assert outbox.dropped > 10

    run_async(check())


def test_the_rate_of_a_client_is_limited() -> None:
    limit = RateLimit(per_s=10.0, burst=3.0)
    assert [limit.allows(5.0) for _ in range(4)] == [True, True, True, False]
    assert not limit.allows(5.05)
    assert limit.allows(5.3)
    assert [limit.allows(100.0) for _ in range(4)] == [True, True, True, False]
