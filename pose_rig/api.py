"""The programming interface: ``pose_rig.Rig``, ``open``, ``load``, ``subscribe`` and ``retarget`` (docs/python.md).

Axes: V views, P people, K landmarks of the detector, J joints (the 17 of docs/frames.md, then further landmarks).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose_rig.arrays import Floats
from pose_rig.capture.source import Detections
from pose_rig.config import ASSUMED_HEIGHT_M, MAX_CAMERAS, MAX_PEOPLE, Config
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.time_steps import RESTART_AFTER_FAILURES, estimate_pose
from pose_rig.humanoid.bones import Motion
from pose_rig.humanoid.retarget import retarget as retarget_joints
from pose_rig.joint_name import joint_index
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.providers import open_engine
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_people, read_poses
from pose_rig.session.formats.poses_writer import camera_arrays
from pose_rig.session.reader import Session
from pose_rig.skeleton import joint_names, landmarks
from pose_rig.tools.arguments.rig_arguments import broadcast, configured, heights_m
from pose_rig.tools.workers.build_note import engine_folder
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Mode, Pose3D

POLL_MS = 100
MAX_TIME_S = 4e9  # nanoseconds fit 64 bits


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The 3D pose of one person at one time step.

    Attributes:
        t_s: Capture time, s; for a live rig on the clock of the machine that runs it.
        joints: (J) names.
        xyz: (J,3) m in ``rig`` axes: right-handed, y up; smoothed.
        covariance: (J,3,3) m², of the pose before smoothing; NaN until the rig is solved.
        score: (J,) 0–1, 0 = a guess: the joint is visible in no camera.
        mode: ``cold``, ``settled`` or ``solved``: how well the cameras are known (docs/fusion.md).
        tracking: False while a live rig detects no person: ``xyz`` is the last pose. `Rig.step` returns None instead.
        refined_px: (V,17,2) px, the pose in each image; NaN where the person is not visible. No views (V = 0) in poses
            received from a live rig.
        height_m: Body height that the lengths rest on, given or assumed.
        person: Identity, 0 for the first person; it stays the same while a person is followed.
    """

    t_s: float
    joints: tuple[str, ...]
    xyz: Floats
    covariance: Floats
    score: Floats
    mode: Mode
    tracking: bool
    refined_px: Floats
    height_m: float
    person: int = 0

    def __getitem__(self, joint: str) -> Floats:
        """Returns (3,) m, the position of a joint, in any common spelling: ``r_wrist``, ``RightWrist``, ``RWrist``.

        Raises:
            JointError: There is no such joint (a KeyError).
        """
        return np.asarray(self.xyz[joint_index(joint, self.joints)])


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """The cameras as the rig has solved them: ``x_camera = R x_rig + t``. NaN in the rows of cameras not solved yet.

    Attributes:
        solved: (V,) whether the row of a camera is known.
        K: (V,3,3) px, intrinsic matrices.
        R: (V,3,3) rotations camera_from_rig.
        t: (V,3) m, translations.
        dist: (V,5) OpenCV's k1, k2, p1, p2, k3; where ``fisheye``, k1, k2, k3, k4, 0 of ``cv2.fisheye``.
        fisheye: (V,) which model applies: wide lenses have the one for fisheye lenses.
        R_sd_deg: (V,) standard deviations of the rotations, degrees.
        t_sd_m: (V,) of the translations, m.
        focal_sd_px: (V,) of the focal lengths, px.
    """

    solved: NDArray[np.bool_]
    K: Floats
    R: Floats
    t: Floats
    dist: Floats
    fisheye: NDArray[np.bool_]
    R_sd_deg: Floats
    t_sd_m: Floats
    focal_sd_px: Floats


class Rig:
    """Turns 2D keypoints of synchronised cameras into 3D poses, and calibrates the cameras while people move.

    Arrays in, poses out: no camera, process, socket or file. The same code as the live rig: the first poses come from
    the learned lifter alone (``cold``), and after some seconds of movement the cameras are solved. A time step takes
    about 2 ms; the few at which the rig is solved take up to some seconds.

    Args:
        cameras: How many there are, 1 to 16.
        size_px: Image (width, height), one for all cameras or one for each, (V,2).
        landmarks: ``mediapipe33``, ``coco17``, ``body25``, ``halpe26``, or the K names joined by commas.
        height_m: Body height of the person; None = 1.70 m is assumed, and lengths scale with it. Of several people one
            for each, in the order in which they appear, as far as they are known.
        focal_px: Focal length, one for all cameras or one for each (NaN = not known); None = estimated.
        principal_point_px: (x, y), one for all cameras or one for each, (V,2); None = the image centres.
        dist: Of calibrated lenses, with their ``focal_px``: OpenCV's k1, k2, p1, p2, k3, one for all cameras or one for
            each, (V,5); of fisheye lenses k1, k2, k3, k4, 0. None = estimated.
        fisheye: Whether ``dist`` is that of ``cv2.fisheye``, one for all cameras or one for each.
        weights: ONNX file of lifter and CSM; None = the one shipped.
        people: How many are followed at most, 1 to 6.

    Attributes:
        people: The poses of all who are visible in the last time step, in ascending order of `Pose.person`.
        failures: Steps at which the computation failed numerically, as it may on absurd keypoints; they have no pose.

    Raises:
        UsageError: An argument is wrong.
        EngineError: The weights are not a pose-rig graph, or cannot be run.
    """

    def __init__(
        self,
        cameras: int,
        *,
        size_px: ArrayLike,
        landmarks: str = "mediapipe33",
        height_m: float | Sequence[float] | None = None,
        focal_px: ArrayLike | None = None,
        principal_point_px: ArrayLike | None = None,
        dist: ArrayLike | None = None,
        fisheye: ArrayLike = False,
        weights: str | Path | None = None,
        people: int = 1,
    ) -> None:
        if not 1 <= cameras <= MAX_CAMERAS:
            raise UsageError(f"A rig has 1 to {MAX_CAMERAS} cameras; got {cameras}.", "Change cameras.")
        if not 1 <= people <= MAX_PEOPLE:
            raise UsageError(f"A rig follows 1 to {MAX_PEOPLE} people; got {people}.", "Change people.")
        given_m = heights_m(height_m, people)
        sizes = broadcast("size_px", size_px, (cameras, 2))
        config = Config(
            camera=configured(sizes, focal_px, principal_point_px, dist, fisheye),
            height_m=given_m[0] if given_m else None,
            other_heights_m=given_m[1:],
            people=people,
            pace="all",
        )
        self._landmarks, self._count = landmarks, _count(landmarks)
        engine = open_engine(Path(weights) if weights else DEFAULT_WEIGHTS, cache=engine_folder(), views=cameras)
        self._estimator = Estimator(config, engine)
        self._sizes = [(width, height) for width, height in sizes.astype(int).tolist()]
        self._set_cameras()
        self._views, self._heights_m = cameras, given_m
        self.people: tuple[Pose, ...] = ()
        self._t_ns: int | None = None
        self.failures = 0

    def step(
        self, t_s: float, xy: ArrayLike, score: ArrayLike | None = None, depth: ArrayLike | None = None
    ) -> Pose | None:
        """Returns the 3D pose of the first person at a time step, None if not visible; `people` has the poses of all.

        Once the first person is gone for good, it is the next one: `Pose.person` says whose it is.

        Args:
            t_s: Time of capture, s; later than that of the step before.
            xy: (V,K,2) px, x right, y down, NaN = not detected; with several people in view (V,P,K,2): the rig follows
                as many of them as ``people`` says. Points at (0, 0) count as detected unless their score is 0.
            score: (V,K) or (V,P,K), 0–1, 0 = not detected; None = 1 for all that are not NaN.
            depth: Of the same shape, px: how much farther from the camera than the hips a landmark is, as estimated by
                the detector, at the scale of ``xy``; NaN = unknown. None = the detector does not estimate it.

        Raises:
            UsageError: An array has the wrong shape, or the time is not in seconds or does not increase.
        """
        points = np.asarray(xy, np.float64)
        if points.ndim == 3:
            points = points[:, None]
        if points.shape[:1] + points.shape[2:] != (self._views, self._count, 2):
            raise UsageError(
                f"xy must have shape ({self._views}, {self._count}, 2) or ({self._views}, P, {self._count}, 2); "
                f"got {np.shape(xy)}.",
                f"There are {self._views} cameras with {self._count} landmarks ({self._landmarks}).",
            )
        scores = np.ones(points.shape[:-1]) if score is None else np.asarray(score, np.float64)
        if scores.size != points.size // 2 or scores.shape[-1:] != (self._count,):
            raise UsageError(
                f"score must have one number for every landmark of xy {np.shape(xy)}; got {scores.shape}.",
                "Leave it out if the detector has none.",
            )
        depths = np.zeros(0) if depth is None else np.asarray(depth, np.float64)
        if depth is not None and depths.size != points.size // 2:
            raise UsageError(
                f"depth must have one number for every landmark of xy {np.shape(xy)}; got {depths.shape}.",
                "Leave it out if the detector does not estimate it.",
            )
        if not abs(t_s) < MAX_TIME_S:
            raise UsageError(f"t_s must be a time in seconds; got {t_s:g}.", "Divide nanoseconds by 1e9.")
        t_ns = round(t_s * 1e9)
        if self._t_ns is not None and t_ns <= self._t_ns:
            raise UsageError(
                f"t_s must increase from step to step; got {t_s:g} after {self._t_ns * 1e-9:g}.", "Sort the frames."
            )
        self._t_ns = t_ns
        by_view = zip(points, scores.reshape(points.shape[:-1]), strict=True)
        of_view = [None] * self._views if depth is None else list(depths.reshape(points.shape[:-1]))
        samples = [_sample(t_ns, *view, depth) for view, depth in zip(by_view, of_view, strict=True)]
        estimate, failure = estimate_pose(self._estimator, t_ns, samples)
        if failure:
            self.failures += 1
            if self.failures % RESTART_AFTER_FAILURES == 0:
                self._estimator.restart()
                self._set_cameras()
        estimates = [] if estimate is None else [estimate, *self._estimator.others]
        self.people = tuple(_from_estimate(one, self._height_m(one.person)) for one in estimates if one.tracking)
        return self.people[0] if estimate is not None and estimate.tracking else None

    @property
    def mode(self) -> Mode:
        """``cold``, ``settled`` or ``solved``: how well the cameras are known."""
        return self._estimator.mode

    @property
    def note(self) -> str:
        """Why the rig is not solved, or what is uncertain about it; empty if all is well."""
        return self._estimator.rig_state().note

    @property
    def cameras(self) -> Cameras:
        """The cameras as solved so far."""
        return _cameras(self._estimator.calibration, self._views)

    def _height_m(self, person: int) -> float:
        given_m = self._heights_m or (ASSUMED_HEIGHT_M,)
        return given_m[person if person < len(given_m) else 0]

    def _set_cameras(self) -> None:
        for view, size_px in enumerate(self._sizes):
            self._estimator.set_camera(view, size_px, self._landmarks)


def open(path: str | Path) -> Session:  # noqa: A001
    """Returns a recorded session, open for reading; use it in a ``with`` statement.

    Args:
        path: A session recorded by ``pose-rig record``, or made by ``pose-rig import``.

    Raises:
        SessionError: There is no such file, or it is not a session.
    """
    return Session(path)


def load(path: str | Path, person: int | None = None) -> Poses:
    """Returns the poses of a person in a poses file: ``pose-rig run --save`` and ``convert --to npz`` write them.

    Args:
        path: The file.
        person: Identity; None = the lowest there is. `load_people` returns the poses of all.

    Raises:
        SourceError: The file cannot be read, is not a poses file, or this person is not in it.
    """
    return read_poses(path, person)


def load_people(path: str | Path) -> list[Poses]:
    """Returns the poses of each person in a poses file, in ascending order of `Poses.person`.

    Raises:
        SourceError: The file cannot be read, or is not a poses file.
    """
    return read_people(path)


def subscribe(endpoint: str = "tcp://127.0.0.1:5571", *, timeout_s: float | None = None) -> Iterator[Pose]:
    """Yields the poses of a running rig as they arrive, also those without a tracked person.

    With several people these are the poses of all: those of one time step follow each other, in ascending order of
    `Pose.person`, with the same time.

    A subscriber that is too slow loses poses; it never delays the rig.

    Args:
        endpoint: Where ``pose-rig run`` publishes: ``tcp://HOST:PORT``.
        timeout_s: How long to wait for a pose; None = for ever.

    Raises:
        UsageError: There can be no such endpoint.
        PoseRigError: No pose arrived within ``timeout_s``.
    """
    with Receiver(endpoint, topics=(Pose3D.TOPIC,)) as receiver:
        waited_ms = 0
        while True:
            messages = receiver.receive(POLL_MS)
            for message in messages:
                if isinstance(message, Pose3D):
                    yield _from_message(message)
            waited_ms = 0 if messages else waited_ms + POLL_MS
            if timeout_s is not None and waited_ms >= timeout_s * 1e3:
                raise PoseRigError(
                    f"No pose arrived from {endpoint} within {timeout_s:g} s.", "Is `pose-rig run` running there?"
                )


def retarget(poses: Poses | Sequence[Pose]) -> Motion:
    """Returns the joint rotations of a humanoid that moves as the person did.

    Several people are retargeted one by one: ``[retarget(one) for one in session.people()]``.

    ``motion.bones`` (B) names, ``motion.t_ns`` (T,), ``motion.root`` (T,3) m, the position of the hips,
    ``motion.rotation`` (T,B,4) quaternions x, y, z, w of each bone relative to its parent, ``motion.rest`` the bones'
    lengths and rest pose. ``motion["RightLowerArm"]`` is the rotation (T,4) of one bone.

    Args:
        poses: Of a session (``session.poses()``), of a poses file (`load`), or those that `Rig.step` returned.

    Raises:
        UsageError: There are no poses, or they are of several people.
    """
    if isinstance(poses, Poses):
        return retarget_joints(poses.joints, poses.t_ns, poses.xyz, poses.score, height_m=poses.height_m)
    if not poses:
        raise UsageError("There are no poses to retarget.", "Leave out the steps at which `Rig.step` returned None.")
    if len({pose.person for pose in poses}) > 1:
        raise UsageError(
            "The poses are of several people.", "Give those of one of them: `Pose.person` says whose it is."
        )
    t_ns = np.array([round(pose.t_s * 1e9) for pose in poses])
    xyz, score = np.stack([pose.xyz for pose in poses]), np.stack([pose.score for pose in poses])
    return retarget_joints(poses[0].joints, t_ns, xyz, score, height_m=poses[0].height_m)


def _count(schema: str) -> int:
    return len(landmarks(schema).names)


def _sample(t_ns: int, xy_PK2: Floats, score_PK: Floats, depth_PK: Floats | None) -> Sample:
    people = Detections.from_arrays(xy_PK2, score_PK, depth_PK)
    return Sample(t_ns, *(array.astype(np.float64) for array in (people.xy, people.score, people.depth)))


def _from_estimate(estimate: PoseEstimate, height_m: float) -> Pose:
    return Pose(
        t_s=estimate.t_ns * 1e-9,
        joints=estimate.joints,
        xyz=estimate.xyz,
        covariance=estimate.covariance,
        score=estimate.score,
        mode=estimate.mode,
        tracking=estimate.tracking,
        refined_px=estimate.refined_px,
        height_m=height_m,
        person=estimate.person,
    )


def _from_message(message: Pose3D) -> Pose:
    joints = joint_names(message.joints)
    unknown = np.full((len(joints), 3, 3), np.nan)
    return Pose(
        t_s=message.t_ns * 1e-9,
        joints=joints,
        xyz=message.xyz.astype(np.float64),
        covariance=message.covariance_m2.astype(np.float64) if message.covariance_m2.size else unknown,
        score=message.score.astype(np.float64),
        mode=message.mode,
        tracking=bool(message.tracking),
        refined_px=np.zeros((0, 17, 2)),
        height_m=message.height_m,
        person=message.person,
    )


def _cameras(calibration: Calibration | None, views: int) -> Cameras:
    arrays = camera_arrays(calibration, None, views)
    keys = ("K", "R", "t", "dist", "fisheye", "R_sd_deg", "t_sd_m", "focal_sd_px")
    return Cameras(solved=np.isfinite(arrays["k1"]), **{key: arrays[key] for key in keys})
