"""A session fused instant by instant in this process, by the code that fuses files, with nobody listening."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

from pose_rig.fusion.calibration.self_solve import Solved
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.node import AHEAD
from pose_rig.fusion.pose.sync import Sample, SampleBuffer
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.graph import Engine
from pose_rig.session.replay import CameraSource, Pace
from pose_rig.wire.jobs import ReplayJob
from pose_rig.wire.messages import Keypoints2D

AT_ONCE = 8  # messages taken from one camera before the next has its turn


class Replay:
    """The instants of a session, fused one after the other as files are.

    Args:
        job: The session.
        engine: Runs the graph.
        solved: A rig to use from the start; None = it is learned by the way.

    Attributes:
        fusion: As it stands after the instant that was yielded last.
    """

    def __init__(self, job: ReplayJob, engine: Engine, solved: Solved | None) -> None:
        self._job = job
        self.fusion = Estimator(job.fusion.config, engine, None, solved)
        self.tracks = [SampleBuffer() for _ in job.fusion.config.camera]

    def __iter__(self) -> Iterator[tuple[PoseEstimate, list[Sample | None]]]:
        clock, pace = FileClock(), Pace(False, threading.Event())
        with ExitStack() as stack:
            sources = [
                stack.enter_context(closing(CameraSource(self._job, camera.name, pace)))
                for camera in self._job.fusion.config.camera
            ]
            while True:
                for view, source in enumerate(sources):
                    if clock.ahead(self.tracks[view]) < AHEAD:
                        self._hear(view, source)
                t_ns = clock.tick(self.tracks)
                if t_ns is not None:
                    samples = [track.at(t_ns) for track in self.tracks]
                    yield self.fusion.step(t_ns, samples), samples
                elif all(track.ended for track in self.tracks):
                    return

    def _hear(self, view: int, source: CameraSource) -> None:
        for message in source.receive(0, max_messages=AT_ONCE):
            if isinstance(message, Keypoints2D):
                self.fusion.describe(view, message.size_px, message.landmarks)
                self.tracks[view].add(message)
            else:  # nothing else is read of a camera but that it has ended
                self.tracks[view].ended = True
