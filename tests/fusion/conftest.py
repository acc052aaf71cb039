from collections.abc import Callable, Iterator

import pytest

from pose_rig.config import Pace
from pose_rig.graph import Engine
from pose_rig.lifting.engine import OrtEngine
from tests.fusion.running import VIEWS, Running


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The shipped graph on the CPU."""
    return OrtEngine(provider="cpu")


@pytest.fixture
def start(engine: Engine) -> Iterator[Callable[..., Running]]:
    opened: list[Running] = []

    def make(pace: Pace, views: int = VIEWS, **more: object) -> Running:
        opened.append(Running(engine, pace, views, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for running in opened:
        running.close()
