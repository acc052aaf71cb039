"""Memory, streams and recorded graphs of an NVIDIA GPU through the driver (`cuda.bindings`), without torch."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from pose_rig.errors import EngineError
from pose_rig.lifting.shapes import Bytes

REMEDY = "Update the NVIDIA driver, or use --provider cpu; `pose-rig doctor` has details."


class Gpu:
    """The first GPU.

    Attributes:
        name: For example NVIDIA GeForce RTX 4070.
        capability: Compute capability, (8, 9).
        driver: Version of CUDA that the driver is for, 13000 = 13.0.

    Raises:
        ImportError: ``cuda-bindings`` is not installed, or the driver's library is missing.
        EngineError: There is no GPU, or the driver refuses it.
    """

    def __init__(self) -> None:
        from cuda.bindings import driver

        self.api = driver
        self.call("cuInit", 0)
        device = self.call("cuDeviceGet", 0)
        self.name = self.call("cuDeviceGetName", 256, device).split(b"\0")[0].decode()
        attribute = driver.CUdevice_attribute
        self.capability = (
            int(self.call("cuDeviceGetAttribute", attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device)),
            int(self.call("cuDeviceGetAttribute", attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device)),
        )
        self.driver = int(self.call("cuDriverGetVersion"))
        self._context = self.call("cuDevicePrimaryCtxRetain", device)

    def use(self) -> None:
        """Makes this GPU the one of the calling thread."""
        self.call("cuCtxSetCurrent", self._context)

    def call(self, name: str, *args: Any) -> Any:
        """Returns the result of a function of the driver.

        Raises:
            EngineError: It failed.
        """
        status, *result = getattr(self.api, name)(*args)
        if int(status) != 0:
            raise EngineError(f"{name} failed: {status.name}.", REMEDY)
        return result[0] if len(result) == 1 else tuple(result)


class DeviceBlock:
    """Memory on the GPU, with or without a block of the host from or to which it is copied.

    Args:
        gpu: The GPU, in use by this thread.
        size: Bytes.
        host: Whether there is a block on the host, pinned.

    Attributes:
        address: On the GPU.
        host: (size,) uint8, empty without one.
    """

    def __init__(self, gpu: Gpu, size: int, *, host: bool) -> None:
        self._gpu, self.size, self._host_address = gpu, size, 0
        self.address = int(gpu.call("cuMemAlloc", max(size, 1)))
        self.host: Bytes = np.zeros(0, np.uint8)
        if host:
            self._host_address = int(gpu.call("cuMemHostAlloc", size, 0))
            self.host = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self._host_address))

    def copy_in(self, stream: Any) -> None:
        """Queues the copy from the host."""
        self._gpu.call("cuMemcpyHtoDAsync", self.address, self._host_address, self.size, stream)

    def copy_out(self, stream: Any) -> None:
        """Queues the copy to the host."""
        self._gpu.call("cuMemcpyDtoHAsync", self._host_address, self.address, self.size, stream)

    def close(self) -> None:
        """Frees the memory; the block on the host must not be used any more."""
        self.host = np.zeros(0, np.uint8)
        self._gpu.call("cuMemFree", self.address)
        if self._host_address:
            self._gpu.call("cuMemFreeHost", self._host_address)


class RecordedWork:
    """Work that is recorded once and then repeated, on a stream.

    Args:
        gpu: The GPU, in use by this thread.
        stream: Of `new_stream`.
        work: Queues the work on the stream. It is done once before it is recorded: libraries prepare themselves then.
    """

    def __init__(self, gpu: Gpu, stream: Any, work: Callable[[], None]) -> None:
        self._gpu, self._stream = gpu, stream
        work()
        gpu.call("cuStreamSynchronize", stream)
        mode = gpu.api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        gpu.call("cuStreamBeginCapture", stream, mode)
        try:
            work()
        finally:
            graph = gpu.call("cuStreamEndCapture", stream)
        self._graph = gpu.call("cuGraphInstantiate", graph, 0)
        gpu.call("cuGraphDestroy", graph)

    def run(self) -> None:
        """Repeats the work and waits for its end."""
        self._gpu.call("cuGraphLaunch", self._graph, self._stream)
        self._gpu.call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Frees the recording."""
        self._gpu.call("cuGraphExecDestroy", self._graph)


def new_stream(gpu: Gpu) -> Any:
    """Returns a stream, which runs next to others."""
    return gpu.call("cuStreamCreate", gpu.api.CUstream_flags.CU_STREAM_NON_BLOCKING)
