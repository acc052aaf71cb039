"""The overlay video of a session: all cameras side by side, with detected and refined 2D, on the rig clock."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pose_rig.arrays import Image
from pose_rig.atomic_file import output_file
from pose_rig.errors import SessionError
from pose_rig.session.draw.overlay import (
    CAPTION_PX,
    Tile,
    canvas,
    draw_caption,
    draw_detections,
    draw_image,
    draw_refined,
    draw_text,
    tiles,
)
from pose_rig.session.formats.people import in_rows
from pose_rig.session.formats.poses import Poses, resampled_count
from pose_rig.session.overlay_frames import OverlayCamera, OverlayFrame, overlay_cameras
from pose_rig.session.reader import Session
from pose_rig.video.mp4 import h264_note, open_mp4
from pose_rig.wire.messages import Pose3D

MIN_FPS, MAX_FPS = 1.0, 30.0  # of the video, which is for people
MAX_DISTANCE_NS = 250_000_000  # of a shown frame from the time of the image
DEFAULT_FPS = 30.0  # of a single frame
ShowFrames = Callable[[int, int], None]


def write_overlay(
    session: Session,
    path: Path,
    show: ShowFrames = lambda done, total: None,
    images: Session | None = None,
) -> list[str]:
    """Writes the overlay video of a session as MP4, and returns what its viewer should know.

    Images are those recorded in the session, or those of the video files that it was made of; a camera without either
    is drawn on an empty background.

    Args:
        session: The session.
        path: The video, at most full HD and 30 frames per second.
        show: Is given the numbers of frames done and in total, before the first frame and after each.
        images: The session that this one was computed from, if the images are in that one; None = they are not.

    Raises:
        SessionError: No camera has a frame.
        PoseRigError: The file cannot be written.
    """
    cameras = overlay_cameras(session, images or session)
    if not cameras:
        raise SessionError(f"{session.path} has no frame of any camera.", "There is nothing to show.")
    layout = tiles([one.keypoints.camera for one in cameras], [one.keypoints.size_px for one in cameras])
    image = canvas(layout)
    fps = min(max(max(one.rate_hz for one in cameras) or DEFAULT_FPS, MIN_FPS), MAX_FPS)
    people = session.people() if session.topics.get(Pose3D.TOPIC) else []
    times_ns, modes, identities = _times_ns(cameras, fps), _modes(people), [one.person for one in people] or [0]
    size_px = image.shape[1], image.shape[0]
    with output_file(path) as partial, open_mp4(partial, size_px, fps) as video:
        show(0, len(times_ns))
        shown = zip(*(_nearest(one.frames(), times_ns) for one in cameras), strict=True)
        for number, (t_ns, frames) in enumerate(zip(times_ns, shown, strict=True), 1):
            for camera, tile, frame in zip(cameras, layout, frames, strict=True):
                _draw(image, tile, camera, frame)
            draw_caption(image, f"{(t_ns - times_ns[0]) * 1e-9:7.2f} s   {modes(t_ns)}", identities)
            video.write(image)
            show(number, len(times_ns))
    notes = [f"{one.keypoints.camera} is drawn without its images: {one.note}." for one in cameras if one.note]
    return [*notes, *([f"{path.name}: {note}."] if (note := h264_note()) else [])]


def _draw(image: Image, tile: Tile, camera: OverlayCamera, frame: OverlayFrame | None) -> None:
    draw_image(image, tile, frame.image if frame else None)
    if frame is not None:
        if frame.row is not None:
            keypoints = camera.keypoints
            draw_detections(image, tile, keypoints.schema, keypoints.xy[frame.row], keypoints.score[frame.row])
        for person, refined in camera.refined_at(frame.t_ns):
            draw_refined(image, tile, refined, person)
    x, y = tile.corner_px
    draw_text(image, (x + 6, y + CAPTION_PX), tile.name if frame else f"{tile.name}: no frame")


def _times_ns(cameras: Sequence[OverlayCamera], fps: float) -> list[int]:
    """Returns the times of the images, rig clock: from the first frame of any camera to the last."""
    first = min(int(one.keypoints.t_ns[0]) for one in cameras)
    last = max(int(one.keypoints.t_ns[-1]) for one in cameras)
    return [first + round(step * 1e9 / fps) for step in range(resampled_count((last - first) * 1e-9, fps))]


def _nearest(frames: Iterator[OverlayFrame], times_ns: Sequence[int]) -> Iterator[OverlayFrame | None]:
    """Yields the frame nearest to each time; None where none is within `MAX_DISTANCE_NS`."""
    here, after = next(frames, None), next(frames, None)
    for t_ns in times_ns:
        while here is not None and after is not None and abs(after.t_ns - t_ns) <= abs(here.t_ns - t_ns):
            here, after = after, next(frames, None)
        yield here if here is not None and abs(here.t_ns - t_ns) <= MAX_DISTANCE_NS else None


def _modes(people: Sequence[Poses]) -> Callable[[int], str]:
    """Returns a function from a time to the mode of the poses then, with words where no person is tracked."""
    if not people:
        return lambda t_ns: "no poses"
    rows, _, _ = in_rows(people)
    t_ns, first, row_of = np.unique(rows.t_ns, return_index=True, return_inverse=True)
    tracked = np.zeros(len(t_ns), bool)
    np.logical_or.at(tracked, row_of, rows.tracked)
    words = np.where(tracked, rows.mode[first], "no person tracked")
    return lambda at_ns: str(words[min(int(np.searchsorted(t_ns, at_ns)), len(words) - 1)])
