"""Whoever can watch over the network is named at the start, with the token that they need."""

import pytest

from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.terminal.listeners import watchers
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.jobs import StreamJob

GIVEN = "a-token-of-mine-0123"


def lines(websocket: str, token: str = "") -> list[str]:
    """Returns what is printed for a WebSocket server; its token is replaced by TOKEN."""
    stream = StreamConfig(websocket=websocket, token=token)
    ready = plan(Config(camera=(CameraConfig(source="sim", name="a"),), port=0, stream=stream), "")
    (job,) = (worker.job for worker in ready.workers if isinstance(worker.job, StreamJob))
    assert token or not job.token or job.token not in repr(ready)
    return [line.replace(job.token, "TOKEN") for line in watchers(ready)]


@pytest.mark.parametrize("websocket", ["39571", "127.0.0.1:1234", "localhost:1234", "[::1]:1234"])
def test_on_loopback_no_token_is_needed_and_nothing_is_said(websocket: str) -> None:
    assert lines(websocket) == []


@pytest.mark.parametrize(
    ("websocket", "line"),
    [
        (
            "0.0.0.0:1234",
            "Every machine that reaches 0.0.0.0:1234 can watch with this token (HOST: an address of this machine): "
            "ws://HOST:1234/?token=TOKEN",
        ),
        ("192.168.0.7:1234", "Every machine that reaches 192.168.0.7:1234 can watch with this token: "
         "ws://192.168.0.7:1234/?token=TOKEN"),
    ],
)  # fmt: skip
def test_elsewhere_every_run_has_its_own_token(websocket: str, line: str) -> None:
    assert lines(websocket) == [line]


def test_a_given_token_is_needed_on_loopback_too() -> None:
    assert lines("1234", GIVEN) == [
        "WebSocket clients of this machine need the token: ws://127.0.0.1:1234/?token=TOKEN"
    ]


@pytest.mark.parametrize("token", ["short", "with space in it 123", "a" * 129])
def test_a_weak_token_is_an_error(token: str) -> None:
    with pytest.raises(UsageError, match="token is too short, or has characters"):
        lines("0.0.0.0:1234", token)


def test_two_runs_have_different_tokens() -> None:
    config = Config(
        camera=(CameraConfig(source="sim", name="a"),), port=0, stream=StreamConfig(websocket="0.0.0.0:1234")
    )
    tokens = {
        worker.job.token for _ in range(2) for worker in plan(config, "").workers if isinstance(worker.job, StreamJob)
    }
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 16
