"""Writing a session of 2D keypoints from other programs."""

import time
from collections.abc import Iterator
from heapq import merge
from pathlib import Path

from pose_rig.capture.keypoints import Keypoints, is_later
from pose_rig.capture.source import Detections
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import SessionError
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.session.mcap.session_writer import SessionWriter
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Keypoints2D


def import_keypoints(keypoints: Keypoints, config: Config, path: Path) -> int:
    """Writes a session of keypoints and returns the number of frames; ``config`` has a camera for every view.

    Raises:
        UsageError: It exists already.
        SessionError: It cannot be written.
    """
    unix_ns = time.time_ns()
    file = McapWriter(path, new_info(config, "import", unix_ns, unix_ns))
    writer = SessionWriter(file, unix_ns, with_video=False)
    views = (_frames(keypoints, view, camera) for view, camera in enumerate(config.camera))
    frames = 0
    try:
        for message in merge(*views, key=lambda message: message.t_ns):
            writer.write(message, encode(message), message.t_ns + unix_ns)
            frames += 1
        file.finish()
    except OSError as error:
        file.abandon()
        raise SessionError(f"Cannot write {path}: {error.strerror}.", "Make room, or choose another place.") from error
    return frames


def _frames(keypoints: Keypoints, view: int, camera: CameraConfig) -> Iterator[Keypoints2D]:
    """Yields the frames of one view; those whose time does not advance are padding and left out."""
    kept = is_later(keypoints.t_ns)[view].nonzero()[0].tolist()
    for index, t in enumerate(kept):
        depth = None if keypoints.depth is None else keypoints.depth[view, t]
        people = Detections.from_arrays(keypoints.xy[view, t], keypoints.score[view, t], depth)
        yield Keypoints2D(
            camera=camera.name,
            index=index,
            t_ns=int(keypoints.t_ns[view, t]),
            size_px=keypoints.size_px[view],
            landmarks=keypoints.landmarks,
            xy=people.xy,
            score=people.score,
            depth=people.depth,
        )
