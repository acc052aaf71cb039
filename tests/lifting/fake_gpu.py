"""A GPU and an engine of TensorRT that compute on the CPU: to test what is copied where, and what is recorded."""

import ctypes
import re
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.graph import ONNX_OUTPUTS
from pose_rig.lifting.engine import OrtEngine

STREAM = 7


class FakeGpu:
    """Stands for `pose_rig.lifting.cuda_driver.Gpu`: memory of the GPU is memory of the host."""

    def __init__(self) -> None:
        modes = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=2)
        self.api = SimpleNamespace(CUstreamCaptureMode=modes, CUstream_flags=SimpleNamespace(CU_STREAM_NON_BLOCKING=1))
        self.memory: dict[int, Any] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self._recording: list[Callable[[], None]] | None = None

    def use(self) -> None:
        """Has nothing to do."""

    def queue(self, work: Callable[[], None]) -> None:
        """Does work, or records it."""
        if self._recording is None:
            work()
        else:
            self._recording.append(work)

    def call(self, name: str, *args: Any) -> Any:
        """Does what the function of the driver does; cuMemAlloc is `_cu_mem_alloc`."""
        return getattr(self, "_" + re.sub(r"([A-Z])", r"_\1", name).lower())(*args)

    def _cu_stream_create(self, flags: int) -> int:
        return STREAM

    def _cu_stream_synchronize(self, stream: int) -> None:
        assert self._recording is None, "CUDA refuses to wait while it records"

    def _cu_mem_alloc(self, size: int) -> int:
        block = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def _cu_mem_host_alloc(self, size: int, flags: int) -> int:
        return self._cu_mem_alloc(size)

    def _cu_mem_free(self, address: int) -> None:
        del self.memory[address]

    _cu_mem_free_host = _cu_mem_free

    def _cu_memcpy_hto_d_async(self, target: int, source: int, size: int, stream: int) -> None:
        self.queue(lambda: void(ctypes.memmove(target, source, size)))

    _cu_memcpy_dto_h_async = _cu_memcpy_hto_d_async

    def _cu_stream_begin_capture(self, stream: int, mode: int) -> None:
        self._recording = []

    def _cu_stream_end_capture(self, stream: int) -> list[Callable[[], None]]:
        recorded, self._recording = self._recording, None
        assert recorded is not None
        return recorded

    def _cu_graph_instantiate(self, graph: list[Callable[[], None]], flags: int) -> int:
        number = len(self.graphs) + 1
        self.graphs[number] = graph
        return number

    def _cu_graph_destroy(self, graph: list[Callable[[], None]]) -> None:
        assert graph

    def _cu_graph_launch(self, number: int, stream: int) -> None:
        for work in self.graphs[number]:
            work()

    def _cu_graph_exec_destroy(self, number: int) -> None:
        self.graphs[number] = []


def void(_: object) -> None:
    """Drops a result."""


class Strategy(IntEnum):
    USER_MANAGED = 2


class FakeEngine:
    """Stands for an engine of TensorRT."""

    device_memory_size_v2 = 1000

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.session, self.contexts = gpu, OrtEngine()._session, 0
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.names = (*self.inputs, *ONNX_OUTPUTS)
        self.num_io_tensors = len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return str(self.names[index])

    def create_execution_context(self, strategy: Strategy) -> "FakeContext":
        assert strategy is Strategy.USER_MANAGED
        self.contexts += 1
        return FakeContext(self)


class FakeContext:
    """Stands for an execution context: reads and writes at the addresses that it was given."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._memory = 0

    def set_device_memory(self, address: int, size: int) -> None:
        assert size >= self._engine.device_memory_size_v2
        self._memory = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return name in self._engine.inputs

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == STREAM
        assert self._memory
        self._engine.gpu.queue(self._compute)
        return True

    def _compute(self) -> None:
        given = {name: self._at(name, self._shapes[name], name == "pick") for name in self._engine.inputs}
        for name, value in zip(ONNX_OUTPUTS, self._engine.session.run(list(ONNX_OUTPUTS), given), strict=True):
            self._at(name, value.shape)[...] = value

    def _at(self, name: str, shape: tuple[int, ...], integers: bool = False) -> NDArray[Any]:
        kind = ctypes.c_int64 if integers else ctypes.c_float
        count = int(np.prod(shape))
        return np.ctypeslib.as_array((kind * count).from_address(self._addresses[name])).reshape(shape)
