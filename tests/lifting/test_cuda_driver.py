"""Memory and recorded work through the driver."""

import numpy as np
import pytest

from pose_rig.errors import EngineError
from pose_rig.lifting.cuda_driver import DeviceBlock, Gpu, RecordedWork, new_stream
from pose_rig.lifting.gpu_libraries import has_driver

SIZE = 1 << 16


@pytest.fixture
def gpu() -> Gpu:
    """The GPU; skips without one, or without the bindings."""
    pytest.importorskip("cuda.bindings.driver", reason="pip install cuda-bindings")
    if not has_driver():
        pytest.skip("no NVIDIA driver")
    made = Gpu()
    made.use()
    return made


@pytest.mark.gpu
def test_recorded_work_is_repeated_with_new_data(gpu: Gpu) -> None:
    assert gpu.name
    assert gpu.capability >= (5, 0)
    assert gpu.driver >= 11000
    stream = new_stream(gpu)
    first, second = (DeviceBlock(gpu, SIZE, host=True) for _ in range(2))

    def work() -> None:
        first.copy_in(stream)
        gpu.call("cuMemcpyDtoDAsync", second.address, first.address, SIZE, stream)
        second.copy_out(stream)

    recorded = RecordedWork(gpu, stream, work)
    for seed in range(3):
        first.host[:] = np.random.default_rng(seed).integers(0, 255, SIZE)
        recorded.run()
        assert np.array_equal(second.host, first.host)
    recorded.close()
    for block in (first, second):
        block.close()


@pytest.mark.gpu
def test_a_call_that_fails_names_itself(gpu: Gpu) -> None:
    with pytest.raises(EngineError, match=r"^cuMemFree failed: CUDA_ERROR_"):
        gpu.call("cuMemFree", 12345)
