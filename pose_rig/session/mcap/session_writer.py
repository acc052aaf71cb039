"""What a session keeps of a message: itself, the gap before it, and what viewers are shown."""

from pose_rig.session.draw.drawing import Drawing
from pose_rig.session.draw.images import picture
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Keypoints2D, Message
from pose_rig.wire.records import Gap, VideoFrame


class SessionWriter:
    """Writes the messages of a run into its session, one after the other.

    Args:
        file: The session.
        unix_from_rig_ns: What turns the rig clock into the time of day.
        over_pictures: As in `Drawing`.
    """

    def __init__(self, file: McapWriter, unix_from_rig_ns: int, *, over_pictures: bool) -> None:
        self._file, self._unix_from_rig_ns = file, unix_from_rig_ns
        self._drawing, self._gaps = Drawing(over_pictures=over_pictures), GapFinder()

    def write(self, message: Message, data: bytes, log_unix_ns: int) -> None:
        """Adds a message.

        Args:
            message: What it says, its instant on the rig clock.
            data: As it travelled.
            log_unix_ns: When it came.
        """
        for gap in self._gaps.before(message):
            self._file.add(gap, encode(gap), log_unix_ns)
        if isinstance(message, VideoFrame):  # a picture is kept once, as viewers want it
            self._file.show(picture(message, self._unix_from_rig_ns), message.index)
            return
        self._file.add(message, data, log_unix_ns)
        for drawn in self._drawing.of(message, self._unix_from_rig_ns):
            self._file.show(drawn)


class GapFinder:
    """Watches the frame numbers of every camera."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # number and instant

    def before(self, message: Message) -> list[Gap]:
        """Returns the gap that ends with a message, if there is one."""
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
