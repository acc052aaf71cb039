"""The frames of one camera of a session for the overlay video: images, detections and refined 2D on the rig clock."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats, Image
from pose_rig.capture.source_factory import open_source, source_kind
from pose_rig.config import CameraConfig
from pose_rig.errors import PoseRigError, SessionError
from pose_rig.fusion.synchronisation.camera_clocks import clock_of
from pose_rig.session.draw.images import video_topic
from pose_rig.session.formats.message_arrays import CameraKeypoints, CameraRefined, neighbours
from pose_rig.session.reader import Session
from pose_rig.session.video_decoder import decoded_frames
from pose_rig.skeleton import J
from pose_rig.wire.messages import CameraState

MAX_GAP_NS = 150_000_000  # between two refined poses that are interpolated


@dataclass(frozen=True, slots=True, eq=False)
class OverlayFrame:
    """One frame of one camera.

    Attributes:
        t_ns: Its time, rig clock.
        row: Of the detections in it; None without.
        image: (H,W,3) uint8 BGR; None if there is none, or it cannot be decoded.
    """

    t_ns: int
    row: int | None
    image: Image | None


class OverlayCamera:
    """One camera of a session.

    Args:
        session: The session.
        images: The session that has its recorded images, if any has; may be the same.
        name: The camera.
        config: Its configuration: where its video is.
        state: Its last state: its clock.

    Attributes:
        keypoints: Its detections, times on the rig clock.
        note: Why there are no images; empty if there are.

    Raises:
        SessionError: It has no frame.
    """

    def __init__(
        self, session: Session, images: Session, name: str, config: CameraConfig, state: CameraState | None
    ) -> None:
        self._images, self._name, self._config, self._state = images, name, config, state
        own = session.keypoints(name)
        self.keypoints: CameraKeypoints = replace(own, t_ns=self._rig_ns(own.t_ns))
        self._refined = session.refined_people(name)
        self._rows = {index: row for row, index in enumerate(own.index.tolist())}
        self._recorded = images.topics.get(video_topic(name), 0) > 0
        self.note = "" if self._recorded else self._why_no_file()

    @property
    def rate_hz(self) -> float:
        """Frames per second; 0 with fewer than two."""
        t_ns = self.keypoints.t_ns
        return 1e9 / float(np.median(np.diff(t_ns))) if len(t_ns) > 1 else 0.0

    def frames(self) -> Iterator[OverlayFrame]:
        """Yields all frames in order; what cannot be read has no image, and is named by `note`."""
        shown_ns = -1
        try:
            for frame in () if self.note else self._from_session() if self._recorded else self._from_file():
                shown_ns = frame.t_ns
                yield frame
        except PoseRigError as error:
            self.note = error.cause.rstrip(".")
        for row, t_ns in enumerate(self.keypoints.t_ns.tolist()):
            if t_ns > shown_ns:
                yield OverlayFrame(t_ns, row, None)

    def refined_at(self, t_ns: int) -> Iterator[tuple[int, Floats]]:
        """Yields identity and (J,2) px of the refined pose of each person at a time, rig clock."""
        for one in self._refined:
            if (xy := _interpolated(one, t_ns)) is not None:
                yield one.person, xy

    def _from_session(self) -> Iterator[OverlayFrame]:
        for frame in decoded_frames(self._images.video_frames(self._name)):
            yield self._frame(frame.index, frame.t_ns, frame.image)

    def _from_file(self) -> Iterator[OverlayFrame]:
        with closing(open_source(self._config, "all", lambda: 1)) as source:
            while (frame := source.read()) is not None:
                yield self._frame(frame.index, frame.t_ns, frame.image)

    def _frame(self, index: int, t_ns: int, image: Image | None) -> OverlayFrame:
        width, height = self.keypoints.size_px
        fits = image is not None and image.shape == (height, width, 3)
        return OverlayFrame(int(self._rig_ns(np.array([t_ns]))[0]), self._rows.get(index), image if fits else None)

    def _rig_ns(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        return t_ns if self._state is None else clock_of(self._state).rig_times_ns(t_ns)

    def _why_no_file(self) -> str:
        source = self._config.source
        if source_kind(source) != "video":
            return "it has no images"
        return "" if Path(source).is_file() else f"{source} is not there"


def _interpolated(refined: CameraRefined, t_ns: int) -> Floats | None:
    """Returns (J,2) px, the refined pose of a person at a time; None where there is none."""
    times_ns = refined.t_ns
    if not len(times_ns) or not times_ns[0] - MAX_GAP_NS <= t_ns <= times_ns[-1] + MAX_GAP_NS:
        return None
    (before,), (after,) = neighbours(times_ns, np.array([t_ns]))
    gap_ns = int(times_ns[after] - times_ns[before])
    if gap_ns > MAX_GAP_NS:
        return None
    part = float(np.clip((t_ns - times_ns[before]) / gap_ns, 0.0, 1.0)) if gap_ns else 0.0
    xy = refined.xy[[before, after]].astype(np.float64)
    return np.asarray((1 - part) * xy[0] + part * xy[1]).reshape(J, 2)


def overlay_cameras(session: Session, images: Session) -> list[OverlayCamera]:
    """Returns the cameras of a session that have frames; ``images`` as in `OverlayCamera`."""
    states = session.rig_states()
    known = {camera.name: camera for camera in states[-1].cameras} if states else {}
    found = []
    for config in session.info.config.camera:
        try:
            found.append(OverlayCamera(session, images, config.name, config, known.get(config.name)))
        except SessionError:  # it has no frame
            continue
    return found
