"""What a session keeps of a message: itself, the gap before it, and what viewers are shown."""

from pose_rig.session.draw.draw import Drawing
from pose_rig.session.draw.pictures import picture
from pose_rig.session.mcap.gaps import GapFinder
from pose_rig.session.mcap.log_file import LogFile
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Message
from pose_rig.wire.records import VideoFrame


class Scribe:
    """Writes the messages of a run into its session, one after the other.

    Args:
        file: The session.
        unix_from_rig_ns: What turns the rig clock into the time of day.
        over_pictures: As in `Drawing`.
    """

    def __init__(self, file: LogFile, unix_from_rig_ns: int, *, over_pictures: bool) -> None:
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
