"""A session as a Rerun recording (.rrd), laid out: space on the left, pictures on the right, time below."""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from pose_rig.session.formats.poses import Poses
from pose_rig.session.reader import Session
from pose_rig.tools.rerun_view.spatial import (
    camera_path,
    log_detections,
    log_person,
    log_pictures,
    log_places,
    log_refined,
)
from pose_rig.tools.rerun_view.time_series import log_agreement, log_quality, log_words
from pose_rig.tools.rerun_view.timeline import SessionClock
from pose_rig.wire.messages import Keypoints2D, Pose3D

APPLICATION = "pose-rig"
LEAST_BYTES = 1 << 16  # free on the disk
Sizes = dict[str, tuple[int, int]]


def write_rrd(session: Session, path: Path) -> set[str]:
    """Writes a session as a Rerun recording, and returns the formats of the pictures in it: ``h264``, ``jpeg``.

    Args:
        session: The session.
        path: Where to.

    Raises:
        OSError: It cannot be written.
    """
    poses = session.poses() if session.topics.get(Pose3D.TOPIC) else None
    states = session.rig_states()
    to = rr.RecordingStream(APPLICATION)
    path.touch()  # Rerun itself says less well why it cannot, and without any room it waits for ever
    if shutil.disk_usage(path.parent).free < LEAST_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    to.save(path)
    rr.set_log_time_enabled(False, recording=to)
    to.send_recording_name(session.path.stem)
    to.log("/", rr.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
    clock = _clock(session, poses)
    if poses is not None:
        log_person(poses, clock, to)
        log_quality(poses, clock, to)
    log_agreement(states, session.cameras, clock, to)
    log_words(session, states, clock, to)
    formats = set[str]()
    for camera in session.cameras:
        log_refined(camera, session.refined(camera), clock, to)
        formats |= log_pictures(session, camera, clock, to)
    sizes = _log_detections(session, clock, to)
    log_places(states, sizes, clock, to)
    to.send_blueprint(layout(session.cameras, sizes))
    _finish(to)
    return formats


def _finish(to: rr.RecordingStream) -> None:
    """Waits until all is written.

    Raises:
        OSError: It could not be.
    """
    try:
        to.flush()
        to.disconnect()
    except RuntimeError as error:  # Rerun keeps the reason to itself; the file could be made, so there is no room
        raise OSError(errno.ENOSPC, "Rerun could not write all of it") from error


def _clock(session: Session, poses: Poses | None) -> SessionClock:
    """Returns the timelines; without poses the frames of the first camera that saw any give the numbers."""
    if poses is not None:
        frames_ns = poses.t_ns
    else:
        seen = [name for name in session.cameras if session.topics.get(Keypoints2D.TOPIC + name)]
        frames_ns = session.keypoints(seen[0]).t_ns if seen else np.zeros(0, np.int64)
    return SessionClock(session.start_unix_ns - session.info.unix_from_rig_ns, frames_ns)


def _log_detections(session: Session, clock: SessionClock, to: rr.RecordingStream) -> Sizes:
    """Logs what the cameras saw, and returns how large their pictures are."""
    sizes: Sizes = {}
    for camera in session.cameras:
        if session.topics.get(Keypoints2D.TOPIC + camera):
            seen = session.keypoints(camera)
            sizes[camera] = seen.size_px
            log_detections(seen, clock, to)
    return sizes


def layout(cameras: Sequence[str], sizes: Sizes) -> rrb.Blueprint:
    """Returns how it is laid out."""
    solid = [camera_path(camera, *part) for camera in cameras for part in ((), ("video",), ("image",))]
    space = rrb.Spatial3DView(origin="/", name="Space", contents=["+ /person/**", *(f"+ /{path}" for path in solid)])
    pictures = [_picture(camera, sizes.get(camera)) for camera in cameras]
    over_time: list[rrb.View | rrb.Container] = [
        rrb.TimeSeriesView(
            origin="/agreement", name="Agreement of the cameras", axis_y=rrb.ScalarAxis(range=(0.0, 1.05))
        ),
        rrb.Tabs(
            rrb.TimeSeriesView(origin="/fit", name="Fit, px"),
            rrb.TimeSeriesView(origin="/latency", name="Latency, ms"),
            rrb.TimeSeriesView(origin="/mode", name="Mode"),
        ),
        rrb.TextLogView(origin="/log", name="What happened"),
    ]
    above = rrb.Horizontal(space, rrb.Grid(*pictures), column_shares=[3, 2]) if pictures else space
    return rrb.Blueprint(
        rrb.Vertical(above, rrb.Horizontal(*over_time), row_shares=[3, 1]),
        rrb.TimePanel(state="collapsed", timeline="time"),
        rrb.SelectionPanel(state="hidden"),
        rrb.BlueprintPanel(state="hidden"),
        auto_views=False,
    )


def _picture(camera: str, size_px: tuple[int, int] | None) -> rrb.Spatial2DView:
    bounds = None if size_px is None else rrb.VisualBounds2D(x_range=(0, size_px[0]), y_range=(0, size_px[1]))
    return rrb.Spatial2DView(origin=camera_path(camera), name=camera, visual_bounds=bounds)
