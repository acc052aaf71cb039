"""Writing the messages of a run, the gaps between them, and what viewers show of them."""

from pose_rig.session.draw.images import image_message
from pose_rig.session.draw.viewer_messages import ViewerStream
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Keypoints2D, Message
from pose_rig.wire.records import Gap, VideoFrame


class SessionWriter:
    """Writes the messages of a run to its session.

    Args:
        file: The session.
        unix_from_rig_ns: Offset of Unix time to the rig clock.
        with_video: As in `ViewerStream`.
    """

    def __init__(self, file: McapWriter, unix_from_rig_ns: int, *, with_video: bool) -> None:
        self._file, self._unix_from_rig_ns = file, unix_from_rig_ns
        self._viewer, self._gaps = ViewerStream(with_video=with_video), GapFinder()

    def write(self, message: Message, data: bytes, log_unix_ns: int) -> None:
        """Adds a message, as `McapWriter.add` does, with the gap before it."""
        for gap in self._gaps.before(message):
            self._file.add(gap, encode(gap), log_unix_ns)
        if isinstance(message, VideoFrame):  # stored once, as a viewer message
            self._file.add_viewer_message(image_message(message, self._unix_from_rig_ns), message.index)
            return
        self._file.add(message, data, log_unix_ns)
        for shown in self._viewer.convert(message, self._unix_from_rig_ns):
            self._file.add_viewer_message(shown)


class GapFinder:
    """Finds gaps in the frame numbers of every camera."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # number and time

    def before(self, message: Message) -> list[Gap]:
        """Returns the gap before a message, if there is one."""
        if not isinstance(message, Keypoints2D):
            return []
        index, t_ns = self._last.get(message.camera, (message.index - 1, message.t_ns))
        self._last[message.camera] = (message.index, message.t_ns)
        missing = message.index - index - 1
        if missing == 0:
            return []
        restarted = missing < 0
        return [
            Gap(
                source=message.camera,
                what="frames",
                from_ns=t_ns,
                t_ns=message.t_ns,
                missing=message.index if restarted else missing,
                reason="the camera was restarted" if restarted else "dropped: the camera or its detector was behind",
            )
        ]
