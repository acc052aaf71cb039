import pytest

from pose_rig.graph import Engine
from pose_rig.lifting.engine import OrtEngine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The shipped graph on the CPU."""
    return OrtEngine(provider="cpu")
