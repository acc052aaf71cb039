"""A session as a Rerun recording (.rrd): 3D view on the left, images on the right, time series below."""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rerun as rr
import rerun.blueprint as rrb
from numpy.typing import NDArray

from pose_rig.session.formats.poses import Poses
from pose_rig.session.reader import Session
from pose_rig.tools.rerun_view import spatial, time_series
from pose_rig.tools.rerun_view.timed_stream import TimedStream
from pose_rig.wire.messages import Keypoints2D, Pose3D

APPLICATION = "pose-rig"
MIN_RRD_BYTES = 1 << 16


def write_rrd(session: Session, path: Path) -> set[str]:
    """Writes a session as a Rerun recording, and returns the formats of the images in it: ``h264``, ``jpeg``.

    Raises:
        OSError: The file cannot be written.
    """
    path.touch()  # Rerun's own errors give no reason, and with a full disk it blocks for ever
    if shutil.disk_usage(path.parent).free < MIN_RRD_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    stream = rr.RecordingStream(APPLICATION)
    stream.save(path)
    rr.set_log_time_enabled(False, recording=stream)
    stream.send_recording_name(session.path.stem)
    formats, sizes = _log_session(session, stream)
    stream.send_blueprint(layout(session.cameras, sizes))
    try:
        stream.flush()
        stream.disconnect()
    except RuntimeError as error:  # without a reason; since the file could be created, the disk must be full
        raise OSError(errno.ENOSPC, "Rerun could not write the whole recording") from error
    return formats


def _log_session(session: Session, stream: rr.RecordingStream) -> tuple[set[str], dict[str, tuple[int, int]]]:
    """Logs a session, and returns the formats of its images and the image size of each camera."""
    people = session.people() if session.topics.get(Pose3D.TOPIC) else []
    states = session.rig_states()
    detected = [camera for camera in session.cameras if session.topics.get(Keypoints2D.TOPIC + camera)]
    start_ns = session.start_unix_ns - session.info.unix_from_rig_ns
    timed = TimedStream(stream, start_ns, _frames_ns(session, people, detected))
    timed.log_static("/", rr.ViewCoordinates.RIGHT_HAND_Y_UP)
    for poses in people:
        spatial.log_person(poses, timed)
        time_series.log_quality(poses, timed)
    time_series.log_agreement(states, session.cameras, timed)
    time_series.log_events(session, states, timed)
    formats = set[str]()
    for camera in session.cameras:
        for refined in session.refined_people(camera):
            spatial.log_refined(camera, refined, timed)
        formats |= spatial.log_images(session, camera, timed)
    sizes = {}
    for camera in detected:
        keypoints = session.keypoints(camera)
        sizes[camera] = keypoints.size_px
        spatial.log_detections(keypoints, timed)
    spatial.log_cameras(states, sizes, timed)
    return formats, sizes


def _frames_ns(session: Session, people: Sequence[Poses], detected: Sequence[str]) -> NDArray[np.int64]:
    """Returns the times of the numbered frames: of the poses, or of the first camera with detections."""
    if people:
        return np.unique(np.concatenate([poses.t_ns for poses in people]))
    return session.keypoints(detected[0]).t_ns if detected else np.zeros(0, np.int64)


def layout(cameras: Sequence[str], sizes: dict[str, tuple[int, int]]) -> rrb.Blueprint:
    """Returns the layout of the viewer."""
    entities = [spatial.camera_path(camera, *part) for camera in cameras for part in ((), ("video",), ("image",))]
    space = rrb.Spatial3DView(origin="/", name="Space", contents=["+ /person/**", *(f"+ /{path}" for path in entities)])
    images = [_image_view(camera, sizes.get(camera)) for camera in cameras]
    over_time: list[rrb.View | rrb.Container] = [
        rrb.TimeSeriesView(
            origin="/agreement", name="Agreement of the cameras", axis_y=rrb.ScalarAxis(range=(0.0, 1.05))
        ),
        rrb.Tabs(
            rrb.TimeSeriesView(origin="/reprojection_error", name="Reprojection error, px"),
            rrb.TimeSeriesView(origin="/latency", name="Latency, ms"),
            rrb.TimeSeriesView(origin="/mode", name="Mode"),
        ),
        rrb.TextLogView(origin="/log", name="Events"),
    ]
    above = rrb.Horizontal(space, rrb.Grid(*images), column_shares=[3, 2]) if images else space
    return rrb.Blueprint(
        rrb.Vertical(above, rrb.Horizontal(*over_time), row_shares=[3, 1]),
        rrb.TimePanel(state="collapsed", timeline="time"),
        rrb.SelectionPanel(state="hidden"),
        rrb.BlueprintPanel(state="hidden"),
        auto_views=False,
    )


def _image_view(camera: str, size_px: tuple[int, int] | None) -> rrb.Spatial2DView:
    bounds = None if size_px is None else rrb.VisualBounds2D(x_range=(0, size_px[0]), y_range=(0, size_px[1]))
    return rrb.Spatial2DView(origin=spatial.camera_path(camera), name=camera, visual_bounds=bounds)
