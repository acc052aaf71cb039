"""A process that fuses stretches of a recording, so that all cores do.

Requests come in through the standard input and results go out of the standard output, pickled: both ends are this
program, so nothing from outside is unpickled. The process exits when its input ends, even if its parent was killed.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO

from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.fixed_cameras import FixedCameras
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.rig.solver_process import SINGLE_THREADED
from pose_rig.fusion.stretches.stretches import FusedStep, SampledStep, Stretches
from pose_rig.graph import Engine

OpenEngine = Callable[[], Engine]


class StretchProcess:
    """Fuses parts of a recording as `Stretches` does, in a process of its own.

    Args:
        open_engine: Opens an engine there.
    """

    def __init__(self, open_engine: OpenEngine) -> None:
        command, pipe = [sys.executable, "-m", "pose_rig.fusion.stretches.process"], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=os.environ | SINGLE_THREADED)  # noqa: S603
        self._send(open_engine)

    def use(self, cameras: FixedCameras, min_steps: int) -> None:
        """Begins a recording; ``min_steps`` as in `Stretches`."""
        self._send(("use", cameras, min_steps))

    def begin(self, steps: Sequence[SampledStep], warm_up: int) -> None:
        """Starts `Stretches.fuse`."""
        self._send(("fuse", steps, warm_up))

    def result(self) -> list[FusedStep]:
        """Returns the result of what was started; blocks.

        Raises:
            EOFError: The process exited.
        """
        fused: list[FusedStep] = self._received()
        return fused

    def extend(self, steps: Sequence[SampledStep], fused: Sequence[FusedStep]) -> list[FusedStep]:
        """As in `Stretches`."""
        self._send(("extend", steps, fused))
        return self.result()

    @property
    def person(self) -> PersonTracker | None:
        """As in `Stretches`."""
        self._send(("person",))
        person: PersonTracker | None = self._received()
        return person

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # part of a request was not written
                    continue

    def _received(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return pickle.load(self._process.stdout)  # noqa: S301

    def _send(self, request: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            pickle.dump(request, self._process.stdin)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # it has exited, or was closed
            raise EOFError from error


def serve(requests: BinaryIO, results: BinaryIO) -> None:
    """Answers requests until the input ends."""
    try:
        engine: Engine = pickle.load(requests)()  # noqa: S301
        while True:
            what, *arguments = pickle.load(requests)  # noqa: S301
            if what == "use":
                cameras, min_steps = arguments
                stretches = Stretches(partial(Estimator.for_cameras, cameras, engine), min_steps=min_steps)
                continue
            pickle.dump(_answer(stretches, what, arguments), results)
            results.flush()
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):  # the parent has exited
        return


def _answer(stretches: Stretches, what: str, arguments: Sequence[Any]) -> list[FusedStep] | PersonTracker | None:
    if what == "person":
        return stretches.person
    return stretches.fuse(*arguments) if what == "fuse" else stretches.extend(*arguments)


def main() -> None:
    """Runs the process."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the output of libraries out of the results
    serve(sys.stdin.buffer, results)


if __name__ == "__main__":
    main()
