"""What Rerun shows of a session over time.

| entity | what |
|---|---|
| ``agreement/<name>`` | how far a camera agrees with the others, 0–1 |
| ``fit``, ``latency`` | mean distance of the detections from the pose, px; age of the poses, ms |
| ``mode`` | 0 cold, 1 settled, 2 solved |
| ``log`` | modes, notes, markers, gaps, errors in words |
"""

from collections.abc import Iterator, Sequence

import numpy as np
import rerun as rr
from matplotlib import colormaps
from numpy.typing import NDArray

from pose_rig.session.formats.poses import Poses
from pose_rig.session.reader import Session
from pose_rig.skeleton import J
from pose_rig.tools.rerun_view.timeline import SessionClock
from pose_rig.wire.messages import RigState

MODES = ("cold", "settled", "solved")
CAMERAS = colormaps["tab10"]
GREY = (170, 178, 190)
INFO, WARN, ERROR = "INFO", "WARN", "ERROR"
Said = tuple[int, str, str]  # when (rig clock, ns), level, sentence


def log_agreement(
    states: Sequence[RigState], cameras: Sequence[str], clock: SessionClock, to: rr.RecordingStream
) -> None:
    """Logs how far each camera agrees with the others."""
    for number, name in enumerate(cameras):
        known = [(state.t_ns, camera.health) for state in states for camera in state.cameras if camera.name == name]
        red, green, blue, _ = (round(255 * value) for value in CAMERAS(number % 10))
        t_ns = np.array([when for when, _ in known], np.int64)
        _series(
            rr.new_entity_path(["agreement", name]), name, (red, green, blue), t_ns, [h for _, h in known], clock, to
        )


def log_quality(poses: Poses, clock: SessionClock, to: rr.RecordingStream) -> None:
    """Logs the fit, the latency and the mode of the poses."""
    seen = poses.tracked
    fit = poses.residual_px[:, :J].mean(1)
    _series("fit", "detections to pose, px", GREY, poses.t_ns[seen], fit[seen], clock, to)
    _series("latency", "age of poses, ms", GREY, poses.t_ns, poses.age_ns * 1e-6, clock, to)
    number = np.array([MODES.index(mode) for mode in poses.mode.tolist()], np.float64)
    _series("mode", "0 cold, 1 settled, 2 solved", GREY, poses.t_ns, number, clock, to)


def _series(
    path: str,
    name: str,
    colour: tuple[int, int, int],
    t_ns: NDArray[np.int64],
    values: "Sequence[float] | NDArray[np.floating]",
    clock: SessionClock,
    to: rr.RecordingStream,
) -> None:
    if len(t_ns):
        to.log(path, rr.SeriesLines(colors=colour, names=name, widths=1.5), static=True)
        to.send_columns(path, clock.columns(t_ns), rr.Scalars.columns(scalars=values))


def log_words(session: Session, states: Sequence[RigState], clock: SessionClock, to: rr.RecordingStream) -> None:
    """Logs in words what happened."""
    said = sorted([*_of_rig(states), *_of_session(session), *_of_workers(session)])
    if said:
        columns = rr.TextLog.columns(text=[text for _, _, text in said], level=[level for _, level, _ in said])
        to.send_columns("log", clock.columns(np.array([t_ns for t_ns, _, _ in said])), columns)


def _of_rig(states: Sequence[RigState]) -> Iterator[Said]:
    mode = note = ""
    for state in states:
        if state.mode != mode:
            yield state.t_ns, INFO, f"The rig is {state.mode}."
        if state.note and state.note != note:
            yield state.t_ns, INFO, state.note
        mode, note = state.mode, state.note


def _of_session(session: Session) -> Iterator[Said]:
    for marker in session.markers():
        yield marker.t_ns, INFO, f"Marker {marker.number}: {marker.text}"
    for gap in session.gaps():
        yield gap.from_ns, WARN, f"{gap.source}: {gap.missing} {gap.what} missing, {gap.reason or 'nobody knows why'}."


def _of_workers(session: Session) -> Iterator[Said]:
    last: dict[str, str] = {}
    for health in session.health():
        if health.error and health.error != last.get(health.worker):
            yield health.t_ns, ERROR, f"{health.worker}: {health.error}"
        last[health.worker] = health.error
