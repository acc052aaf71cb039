"""The fusion process: keypoints in, poses out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

from pose_rig.fusion.node import Node, OpenPoses
from pose_rig.fusion.publisher import RECORDER_MARK, Publisher
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.solver_process import SolverProcess
from pose_rig.graph import Engine
from pose_rig.wire.bus import Delivery, Receiver, Sender, bind_publisher
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.stop import Stop


def main(job: FusionJob, stop: Stop, engine: Engine, open_poses: OpenPoses) -> None:
    """Fuses until every camera has ended, or until it is stopped; then finishes the poses file.

    Args:
        job: What to do.
        stop: Asks the process to end.
        engine: Runs the graph.
        open_poses: Opens the poses file of the job.

    Raises:
        PoseRigError: An endpoint is taken, or the poses file cannot be written.
    """
    # what goes wrong on the way leaves the poses so far to the fusion that is started next, or to `recover`
    live = job.config.pace == "realtime"
    delivery: Delivery = "best-effort" if live else "lossless"
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(Receiver(endpoint, delivery, bind=True, keys=job.keys)) for endpoint in job.inputs
        ]
        outlet = stack.enter_context(closing(open_publisher(job, stop, waits=not live)))
        learner = stack.enter_context(learning()) if live else BackgroundCompute()
        node = Node(job, engine, outlet, learner, open_poses(job))
        if live:
            node.run_live(receivers[0], stop)
        elif job.config.passes == 1:
            node.run_files(receivers, stop)
        else:
            node.run_twice(receivers, stop)
        node.finish()


def open_publisher(job: FusionJob, stop: Stop, *, waits: bool) -> Publisher:
    """Returns where the messages of a job go; ``waits`` as in `Publisher`.

    Raises:
        UsageError: An endpoint is taken.
    """
    listeners = bind_publisher(job.output, job.inside, job.keys)
    recorder = Sender(job.record, "lossless", keys=job.keys, send_hwm=RECORDER_MARK) if job.record else None
    return Publisher(listeners, recorder, waits=waits, stopped=stop.is_set)


@contextmanager
def learning(*, replayed: bool = False) -> Iterator[BackgroundCompute]:
    """Learns beside the poses: averaging in a thread (it is the engine that works), solving in a process.

    Args:
        replayed: As in `BackgroundCompute`.
    """
    solver = SolverProcess()
    solver.start()
    executor = ThreadPoolExecutor(2, thread_name_prefix="rig")
    try:
        yield BackgroundCompute(executor, solver.solve, replayed)
    finally:
        solver.close()
        executor.shutdown(wait=False, cancel_futures=True)
