"""The graph in torch on a CUDA device: the module of `pose_rig.lifting.rig_graph` with the weights of the file.

For each padded size there is a recorded CUDA graph; single precision, without TF32. Every thread has its own stream and
recordings: rotations are averaged in another thread than poses are fused in.
"""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.lifting.shapes import Sizes, Slot, arrays, block_size, cut, fill, fill_with_zeros

Compute = Callable[..., tuple[Tensor, ...]]

MAX_RECORDINGS = 16  # per thread; the one unused for longest is dropped
WARM_UP_RUNS = 3  # before recording: libraries allocate their memory
REASON_LENGTH = 80
# combo kernels: 0.36 ms instead of 0.48 on an H200
COMPILER_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "combo_kernels": True, "unroll_reductions_threshold": 40,
}  # fmt: skip
MAX_SMALL_PRODUCT = 40  # inner dimension of matrix products that are cheaper as sums, fused with what surrounds them


class TorchEngine:
    """A loaded graph.

    Args:
        path: An exported graph with the weights of its lifter.
        device: A CUDA device, or ``cpu``, where nothing is recorded.
        compiled: Padded sizes for which operations are fused (`fused`); where that fails, and for all other sizes,
            they are recorded as they are.
        fuse: Returns the module with fused operations for given arguments.

    Raises:
        AssetError: The file has no such weights; one in int8 has none.
        RuntimeError: The device cannot be used.
    """

    def __init__(
        self,
        path: Path,
        device: str = "cuda",
        compiled: Collection[Sizes] = (),
        fuse: Callable[[RigGraph, tuple[Tensor, ...]], Compute] | None = None,
    ) -> None:
        self._device = torch.device(device)
        self._module = RigGraph(load(path)[0]).to(self._device).eval().requires_grad_(requires_grad=False)
        self._fuse = fuse or fused
        self._to_compile = set(compiled)
        self._fused: dict[Sizes, Compute] = {}
        self._threads = threading.local()
        self._recording_lock = threading.Lock()  # torch records one graph at a time
        self.provider = self._device.type
        self.reason = f"torch {torch.__version__}"

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs.

        Raises:
            TooLargeError: There are more candidates, hypotheses or views than `pose_rig.lifting.shapes` allows.
            RuntimeError: The device failed.
        """
        sizes = Sizes.of(given)
        return cut(self._recording(sizes.padded()).run(given), sizes)

    def _recording(self, sizes: Sizes) -> "Recording":
        """Returns the recording of this thread."""
        known: OrderedDict[Sizes, Recording] = self._threads.__dict__.setdefault("recordings", OrderedDict())
        if sizes in known:
            known.move_to_end(sizes)
            return known[sizes]
        with self._recording_lock:
            if len(known) >= MAX_RECORDINGS:
                known.popitem(last=False)
            known[sizes] = self._record(sizes)
        return known[sizes]

    def _record(self, sizes: Sizes) -> "Recording":
        if sizes in self._to_compile:
            self._to_compile.remove(sizes)
            try:
                self._fused[sizes] = self._fuse(
                    self._module, _tensors(_zeros(sizes.inputs, self._device), sizes.inputs)
                )
                made = Recording(self._fused[sizes], sizes, self._device)
            except Exception as error:  # the compiler and what it calls raise anything
                self._fused.pop(sizes, None)
                self.reason = f"torch {torch.__version__}, not compiled: {str(error).splitlines()[0][:REASON_LENGTH]}"
            else:
                self.reason = f"torch {torch.__version__}, compiled"
                return made
        return Recording(self._fused.get(sizes, self._module), sizes, self._device)


class Recording:
    """The computation for fixed sizes.

    Args:
        compute: What is computed.
        sizes: Padded sizes.
        device: Where.
    """

    def __init__(self, compute: Compute, sizes: Sizes, device: torch.device) -> None:
        self._compute, self._device, pinned = compute, device, device.type == "cuda"
        self._host_in, self._host_out = (
            torch.zeros(block_size(slots), dtype=torch.uint8, pin_memory=pinned)
            for slots in (sizes.inputs, sizes.outputs)
        )
        self._inputs = arrays(self._host_in.numpy(), sizes.inputs)
        self._outputs = arrays(self._host_out.numpy(), sizes.outputs)
        fill_with_zeros(self._inputs)
        self._in, self._out = (_zeros(slots, device) for slots in (sizes.inputs, sizes.outputs))
        self._arguments = _tensors(self._in, sizes.inputs)
        self._results = _tensors(self._out, sizes.outputs)
        self._stream = torch.cuda.Stream(device) if pinned else None  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        if self._stream is not None:
            with torch.no_grad():
                self._record(self._stream)

    def run(self, given: GraphInput) -> dict[str, NDArray[Any]]:
        """Returns the padded outputs, valid until the next run."""
        fill(self._inputs, given)
        if self._graph is None or self._stream is None:
            with torch.no_grad():
                self._step()
            return self._outputs
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        return self._outputs

    def _record(self, stream: torch.cuda.Stream) -> None:
        """Records a run; some before it allocate what libraries need."""
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                self._step()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._step()
        stream.synchronize()
        self._graph = graph

    def _step(self) -> None:
        self._in.copy_(self._host_in, non_blocking=True)
        for result, computed in zip(self._results, self._compute(*self._arguments), strict=True):
            result.copy_(computed)
        self._host_out.copy_(self._out, non_blocking=True)


def _zeros(slots: tuple[Slot, ...], device: torch.device) -> Tensor:
    """Returns a block for tensors."""
    return torch.zeros(block_size(slots), dtype=torch.uint8, device=device)


def _tensors(block: Tensor, slots: tuple[Slot, ...]) -> tuple[Tensor, ...]:
    """Returns the tensors in a block, as views of it."""
    kinds = {4: torch.float32, 8: torch.int64}
    return tuple(
        block[slot.offset : slot.offset + slot.size].view(kinds[slot.dtype.itemsize]).reshape(slot.shape)
        for slot in slots
    )


def fused(module: RigGraph, arguments: tuple[Tensor, ...]) -> Compute:
    """Returns the module for inputs of the sizes of ``arguments``, its operations fused by torch's compiler.

    There are 169 kernels instead of some 700. The compiler needs Triton and a C compiler, and takes about a minute the
    first time. The many small matrix products become sums before, so that they are fused with what surrounds them.
    """
    aten = torch.ops.aten
    table = {aten.mm.default: _small_mm, aten.bmm.default: _small_bmm}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler about its own parts, and that TF32, too inaccurate, is off
        module(*arguments)  # constants are made now, and not as part of what is traced
        operations = make_fx(module, decomposition_table=table)(*arguments)
        compute: Compute = torch.compile(operations, options=COMPILER_OPTIONS)
        compute(*arguments)
    return compute


def _small_mm(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[1] > MAX_SMALL_PRODUCT:
        return NotImplemented  # type: ignore[no-any-return]
    return torch.sum(a.unsqueeze(-1) * b, 1)


def _small_bmm(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[2] > MAX_SMALL_PRODUCT:
        return NotImplemented  # type: ignore[no-any-return]
    return torch.sum(a.unsqueeze(-1) * b.unsqueeze(1), 2)
