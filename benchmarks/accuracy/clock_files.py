"""Files of simulated cameras whose clocks differ: each begins at another time, and has its own rate.

Axes: V views, T time steps of the truth, F frames of a file, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.simulated_rigs import detections_of
from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.skeleton import JOINT_SET
from pose_rig.wire.messages import Keypoints2D


@dataclass(frozen=True, slots=True)
class CameraFile:
    """The detections in the file of one camera.

    Attributes:
        camera_s: (F,) time stamps, from 0 on.
        rig_s: (F,) true times: ``camera_s · rate + offset``.
        xy_px: (F,J,2), score: (F,J).
        size_px: Width and height of the images.
    """

    camera_s: Floats
    rig_s: Floats
    xy_px: Floats
    score: Floats
    size_px: tuple[int, int]

    def messages(self, name: str, shift_s: float = 0.0, *, one_clock: bool = False) -> list[Keypoints2D]:
        """Returns the messages of a file, ``shift_s`` later, with its own time stamps or true ones."""
        times = self.rig_s if one_clock else self.camera_s
        out = []
        for frame, (t_s, xy, score) in enumerate(zip(times.tolist(), self.xy_px, self.score, strict=True)):
            people = int(score.any())
            out.append(
                Keypoints2D(
                    camera=name,
                    index=frame,
                    t_ns=round((t_s + shift_s) * 1e9),
                    size_px=self.size_px,
                    landmarks=JOINT_SET,
                    xy=xy[None][:people].astype(np.float32),
                    score=score[None][:people].astype(np.float32),
                )
            )
        return out


def files_of(
    people: Floats,
    start_s: float,
    cameras: Cameras,
    clocks: Sequence[tuple[float, float]],
    seconds: float,
    rng: np.random.Generator,
    fps: Sequence[float] | None = None,
    dropped: float = 0.0,
    bias: DetectorBias | None = None,
) -> list[CameraFile]:
    """Returns the files (V) of cameras.

    Args:
        people: (T,J,3) the movement, at `FPS`.
        start_s: Rig time of its first time step.
        cameras: (V).
        clocks: (V) offset, s, and rate of each camera: rig time = camera time · rate + offset.
        seconds: Duration of each file.
        rng: Random generator.
        fps: (V) frame rates; None = `FPS` each.
        dropped: Share of the frames that are missing.
        bias: Of the detector.
    """
    out = []
    for view, (offset_s, rate) in enumerate(clocks):
        view_fps = FPS if fps is None else fps[view]
        camera_s = np.arange(round(seconds * view_fps)) / view_fps
        seen = at_times(people, start_s, camera_s * rate + offset_s)
        one = cameras.each(lambda values, view=view: values[view : view + 1])  # type: ignore[misc]
        xy_px, score = detections_of(seen, one, rng, bias)
        kept = np.flatnonzero(rng.random(len(camera_s)) >= dropped)
        width, height = cameras.size_px[view].astype(int).tolist()
        times = camera_s[kept]
        out.append(CameraFile(times, times * rate + offset_s, xy_px[0, kept], score[0, kept], (width, height)))
    return out


def at_times(people: Floats, start_s: float, t_s: Floats) -> Floats:
    """Returns (F,J,3) a movement (T,J,3) at other times, by cubic interpolation."""
    position = np.clip((t_s - start_s) * FPS, 1.0, len(people) - 2.001)
    before, part = np.floor(position).astype(int), (position % 1)[:, None, None]
    a, b, c, d = (people[before + k] for k in (-1, 0, 1, 2))
    return np.asarray(b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a))))
