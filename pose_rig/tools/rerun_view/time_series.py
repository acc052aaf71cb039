"""The time series and events of a session in Rerun.

| entity | content |
|---|---|
| ``agreement/<name>`` | agreement of a camera with the others, 0–1 |
| ``reprojection_error`` | mean distance of the detections from the pose, px; ``…/2`` of the second person |
| ``latency`` | age of the poses, ms |
| ``mode`` | 0 cold, 1 settled, 2 solved |
| ``log`` | modes, notes, markers, gaps and errors as text |
"""

from collections.abc import Iterator, Sequence

import numpy as np
import rerun as rr
from numpy.typing import NDArray

from pose_rig.session.draw.annotations import person_colour
from pose_rig.session.draw.people import topic_of
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_writer import MODES
from pose_rig.session.reader import Session
from pose_rig.skeleton import J
from pose_rig.tools.report.plot_style import CAMERA_COLOURS
from pose_rig.tools.rerun_view.timed_stream import TimedStream
from pose_rig.wire.messages import RigState

LINE_COLOUR = (170, 178, 190)
INFO, WARN, ERROR = "INFO", "WARN", "ERROR"
LoggedEvent = tuple[int, str, str]  # time (rig clock, ns), level, text


def log_agreement(states: Sequence[RigState], cameras: Sequence[str], timed: TimedStream) -> None:
    """Logs the agreement of each camera with the others."""
    for number, name in enumerate(cameras):
        known = [(state.t_ns, camera.health) for state in states for camera in state.cameras if camera.name == name]
        red, green, blue, _ = (round(255 * value) for value in CAMERA_COLOURS(number % 10))
        t_ns, agreement = np.array([t for t, _ in known], np.int64), np.array([value for _, value in known])
        _log_series(rr.new_entity_path(["agreement", name]), name, t_ns, agreement, timed, (red, green, blue))


def log_quality(poses: Poses, timed: TimedStream) -> None:
    """Logs the reprojection error of a person, and of the first one latency and mode of the poses, too."""
    tracked, person = poses.tracked, poses.person
    error_px = poses.residual_px[:, :J].mean(1)
    path, colour = topic_of("reprojection_error", person), person_colour(person) if person else LINE_COLOUR
    name = "detections to pose, px" + (f", person {person + 1}" if person else "")
    _log_series(path, name, poses.t_ns[tracked], error_px[tracked], timed, colour)
    if person:
        return
    _log_series("latency", "age of poses, ms", poses.t_ns, poses.age_ns * 1e-6, timed)
    modes = np.array([MODES.index(mode) for mode in poses.mode.tolist()], np.float64)
    _log_series("mode", "0 cold, 1 settled, 2 solved", poses.t_ns, modes, timed)


def _log_series(
    path: str,
    name: str,
    t_ns: NDArray[np.int64],
    values: NDArray[np.floating],
    timed: TimedStream,
    colour: tuple[int, int, int] = LINE_COLOUR,
) -> None:
    if len(t_ns):
        timed.log_static(path, rr.SeriesLines(colors=colour, names=name, widths=1.5))
        timed.send(path, t_ns, rr.Scalars.columns(scalars=values))


def log_events(session: Session, states: Sequence[RigState], timed: TimedStream) -> None:
    """Logs the events of a session as text."""
    events = sorted([*_rig_events(states), *_session_events(session), *_worker_errors(session)])
    if events:
        columns = rr.TextLog.columns(text=[text for _, _, text in events], level=[level for _, level, _ in events])
        timed.send("log", np.array([t_ns for t_ns, _, _ in events]), columns)


def _rig_events(states: Sequence[RigState]) -> Iterator[LoggedEvent]:
    mode = note = ""
    for state in states:
        if state.mode != mode:
            yield state.t_ns, INFO, f"The rig is {state.mode}."
        if state.note and state.note != note:
            yield state.t_ns, INFO, state.note
        mode, note = state.mode, state.note


def _session_events(session: Session) -> Iterator[LoggedEvent]:
    for marker in session.markers():
        yield marker.t_ns, INFO, f"Marker {marker.number}: {marker.text}"
    for gap in session.gaps():
        yield gap.from_ns, WARN, f"{gap.source}: {gap.missing} {gap.what} missing, {gap.reason or 'reason unknown'}."


def _worker_errors(session: Session) -> Iterator[LoggedEvent]:
    last: dict[str, str] = {}
    for health in session.health():
        if health.error and health.error != last.get(health.worker):
            yield health.t_ns, ERROR, f"{health.worker}: {health.error}"
        last[health.worker] = health.error
