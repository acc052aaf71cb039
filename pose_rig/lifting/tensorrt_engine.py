"""The graph in TensorRT, by its own Python interface.

For each padded size there is an execution context and a recorded CUDA graph. Every thread has its own stream, memory
and contexts: a context is for one thread, and rotations are averaged in another thread than poses are fused in.
"""

import importlib
import threading
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pose_rig.errors import EngineError
from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.cuda_driver import REMEDY, DeviceBlock, Gpu, RecordedWork, new_stream
from pose_rig.lifting.shapes import Sizes, arrays, block_size, cut, fill, fill_with_zeros
from pose_rig.lifting.tensorrt_build import BuildLog, Report, cached_engine

MAX_RECORDINGS = 16  # per thread; the one unused for longest is dropped


class TensorRtEngine:
    """A loaded graph.

    Args:
        path: The ONNX file.
        cache: Folder of built engines; None = none.
        report: Called with the progress of a build.

    Raises:
        ImportError: A package or library is missing.
        EngineError: There is no GPU, or TensorRT cannot build or load the engine.
    """

    def __init__(self, path: Path, cache: Path | None = None, report: Report = lambda _: None) -> None:
        trt = importlib.import_module("tensorrt")
        self._gpu = Gpu()
        self._gpu.use()
        self._log = BuildLog()
        gpu_name = f"{self._gpu.name} {self._gpu.capability}"
        content = cached_engine(trt, path, gpu_name, self._gpu.driver, cache, report)
        self._runtime = trt.Runtime(self._log.logger(trt))
        self._engine = self._runtime.deserialize_cuda_engine(content)
        if self._engine is None:
            raise EngineError(
                f"TensorRT cannot load the engine: {self._log.last[:300]}.",
                "Delete the folder `engines` in the cache of pose-rig, then it is built again.",
            )
        self._user_managed = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._threads = threading.local()
        self.provider = "tensorrt"
        self.reason = f"TensorRT {trt.__version__}"

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs.

        Raises:
            TooLargeError: There are more candidates, hypotheses or views than `pose_rig.lifting.shapes` allows.
            EngineError: The GPU failed.
        """
        sizes = Sizes.of(given)
        return cut(self._recordings().at(sizes.padded()).run(given), sizes)

    def _recordings(self) -> "ThreadRecordings":
        with suppress(AttributeError):
            known: ThreadRecordings = self._threads.recordings
            return known
        self._gpu.use()
        made = self._threads.recordings = ThreadRecordings(self._gpu, self._engine, self._user_managed)
        return made


class ThreadRecordings:
    """The recordings of one thread; they share a stream, and the memory for intermediate results.

    Args:
        gpu: The GPU, in use by this thread.
        engine: The engine of TensorRT.
        user_managed: The strategy by which contexts get their memory from us.
    """

    def __init__(self, gpu: Gpu, engine: Any, user_managed: Any) -> None:
        self._gpu, self._engine, self._user_managed = gpu, engine, user_managed
        self._stream = new_stream(gpu)
        self._scratch = DeviceBlock(gpu, int(engine.device_memory_size_v2), host=False)
        self._names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        self._known: OrderedDict[Sizes, Recording] = OrderedDict()

    def at(self, sizes: Sizes) -> "Recording":
        """Returns the recording for padded sizes."""
        if sizes in self._known:
            self._known.move_to_end(sizes)
            return self._known[sizes]
        if len(self._known) >= MAX_RECORDINGS:
            self._known.popitem(last=False)[1].close()
        context = self._engine.create_execution_context(self._user_managed)
        if context is None:
            raise EngineError("TensorRT cannot create an execution context.", REMEDY)
        context.set_device_memory(self._scratch.address, self._scratch.size)
        self._known[sizes] = Recording(self._gpu, self._stream, context, sizes, self._names)
        return self._known[sizes]


class Recording:
    """The computation for fixed sizes.

    Args:
        gpu: The GPU, in use by this thread.
        stream: Its stream.
        context: Execution context of TensorRT, for this recording alone.
        sizes: Padded sizes.
        names: Of the tensors of the engine: only graphs that use depths have them.
    """

    def __init__(self, gpu: Gpu, stream: Any, context: Any, sizes: Sizes, names: Collection[str]) -> None:
        self._stream, self._context = stream, context
        self._in = DeviceBlock(gpu, block_size(sizes.inputs), host=True)
        self._out = DeviceBlock(gpu, block_size(sizes.outputs), host=True)
        self._inputs = arrays(self._in.host, sizes.inputs)
        self._outputs = arrays(self._out.host, sizes.outputs)
        fill_with_zeros(self._inputs)
        for slot in (slot for slot in sizes.inputs if slot.name in names):
            if not context.set_input_shape(slot.name, slot.shape):
                raise EngineError(f"TensorRT does not take {slot.name} of shape {slot.shape}.", REMEDY)
            context.set_tensor_address(slot.name, self._in.address + slot.offset)
        for slot in sizes.outputs:
            context.set_tensor_address(slot.name, self._out.address + slot.offset)
        self._recorded = RecordedWork(gpu, stream, self._queue)

    def run(self, given: GraphInput) -> dict[str, NDArray[Any]]:
        """Returns the padded outputs, valid until the next run."""
        fill(self._inputs, given)
        self._recorded.run()
        return self._outputs

    def close(self) -> None:
        """Frees the memory."""
        self._recorded.close()
        self._inputs, self._outputs = {}, {}
        self._in.close()
        self._out.close()

    def _queue(self) -> None:
        self._in.copy_in(self._stream)
        if not self._context.execute_async_v3(int(self._stream)):
            raise EngineError("TensorRT cannot run the graph.", REMEDY)
        self._out.copy_out(self._stream)
