"""Small sessions to break: a chunk for every few messages, finished or cut off."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from mcap.reader import NonSeekingReader, make_reader

from pose_rig.atomic_file import partial_path
from pose_rig.config import CameraConfig, Config, Origin
from pose_rig.session.draw.viewer_messages import ViewerStream
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Keypoints2D, Message, Pose3D
from tests.session import drawable

START_NS = 5_000_000_000
UNIX_FROM_RIG_NS = 1_700_000_000_000_000_000
FRAME_NS = 33_333_333
CAMERAS = ("cam0", "cam1")
Row = tuple[str, int, bytes]  # topic, sequence, payload


def frame(i: int, camera: str = "cam0", people: int = 1, **changes: object) -> Keypoints2D:
    """Returns what a camera saw in its frame i."""
    seen = drawable.keypoints(START_NS + i * FRAME_NS, people=people)
    return msgspec.structs.replace(seen, **({"camera": camera, "index": i} | changes))


def pose(i: int, **changes: object) -> Pose3D:
    """Returns the pose of frame i."""
    return msgspec.structs.replace(drawable.pose(START_NS + i * FRAME_NS), **({"index": i} | changes))


def talk(count: int = 20, cameras: Iterable[str] = CAMERAS) -> Iterator[Message]:
    """Yields what is said during so many frames."""
    for i in range(count):
        yield from (frame(i, camera) for camera in cameras)
        yield pose(i)


def rig_of(cameras: Iterable[str] = CAMERAS, **changes: object) -> Config:
    members = tuple(CameraConfig(source="sim", name=name) for name in cameras)
    return msgspec.structs.replace(Config(camera=members), **changes)


def begin(path: Path, config: Config | None = None, origin: Origin = "live") -> McapWriter:
    """Returns a session that was begun."""
    return McapWriter(path, new_info(config or rig_of(), origin, START_NS + UNIX_FROM_RIG_NS, UNIX_FROM_RIG_NS))


def write(
    path: Path, messages: Iterable[Message], config: Config | None = None, origin: Origin = "live", chunk: int = 6,
    *, finished: bool = True, drawn: bool = False,
) -> Path:  # fmt: skip
    """Writes a session of chunks of so many messages each, and returns its path."""
    file, drawing = begin(path, config, origin), ViewerStream(with_video=False)
    for number, message in enumerate(messages):
        unix_ns = getattr(message, "t_ns", START_NS) + UNIX_FROM_RIG_NS
        file.add(message, encode(message), unix_ns)
        for one in drawing.convert(message, UNIX_FROM_RIG_NS) if drawn else ():
            file.add_viewer_message(one)
        if number % chunk == chunk - 1:
            file.flush()
    if finished:
        return file.finish()
    file.flush()
    file.abandon()
    return partial_path(path)


def rows(path: Path) -> list[Row]:
    """Returns what the MCAP library reads of a finished session, in the order of the file."""
    with path.open("rb") as file:
        found = make_reader(file).iter_messages(log_time_order=False)
        return [(channel.topic, message.sequence, message.data) for _, channel, message in found]


def rows_in_passing(path: Path) -> list[Row]:
    """Returns the same, read as a stream, without the index."""
    with path.open("rb") as file:
        found = NonSeekingReader(file).iter_messages(log_time_order=False)
        return [(channel.topic, message.sequence, message.data) for _, channel, message in found]


def sent(messages: Iterable[Message]) -> list[Row]:
    """Returns messages as `rows` should find them."""
    return [(m.topic, getattr(m, "index", 0), encode(m).split(b"\0", 1)[1]) for m in messages]
