"""Sample sessions: a person lifts an arm for two seconds between two cameras, one of which drops frames."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from pose_rig.config import CameraConfig, Config, Origin
from pose_rig.session.draw.images import image_message
from pose_rig.session.draw.viewer_messages import ViewerStream
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D
from pose_rig.wire.records import Gap, Marker, VideoFrame
from tests.session.drawable import BODY, NAMES, SIZE_PX, keypoints, pose, refined, rig

START_NS = 5_000_000_000
UNIX_FROM_RIG_NS = 1_700_000_000_000_000_000
FRAME_NS = 33_333_333
FRAMES = 60
SOLVED_FROM = 20
GONE = range(40, 46)
SECOND_FROM = 10
MISSING = range(30, 35)


def sample() -> Iterator[Message]:
    """Yields the messages of a session; the first 20 poses are not solved, and no person is tracked in 6 of them."""
    for i in range(FRAMES):
        t_ns = START_NS + i * FRAME_NS
        yield keypoints(t_ns, camera=0)
        if i not in MISSING:
            yield keypoints(t_ns, camera=1, people=2)
        if i == MISSING.stop:
            yield Gap(source="cam1", what="frames", from_ns=t_ns - 6 * FRAME_NS, t_ns=t_ns, missing=5, reason="dropped")
        yield refined(t_ns)
        if i % 10 == 0:
            yield rig(t_ns, solved=2 if i >= SOLVED_FROM else 0)
            yield Health(worker="cam1", t_ns=t_ns, state="running", error="Too slow." if i >= 30 else "")
        yield moving_pose(i)
        if i == 10:
            yield Marker(t_ns=t_ns, number=1, text="take 1")


def two_people() -> Iterator[Message]:
    """Yields the sample with a second person, identity 2, a metre beside the first from the tenth pose on."""
    for message in sample():
        yield message
        if isinstance(message, Pose3D) and message.index >= SECOND_FROM:
            xyz = message.xyz + np.array([1.0, 0.0, 0.0], np.float32)
            yield replace(message, person=2, xyz=xyz, height_m=1.55, height_assumed=False, tracking=1)
        elif isinstance(message, Refined2D):
            yield replace(message, person=2, xy=message.xy + np.float32(50.0))


def moving_pose(i: int) -> Message:
    xyz = np.concatenate([BODY, np.repeat(BODY[10:11], len(NAMES) - len(BODY), 0)])
    xyz[:, 0] += 0.01 * i
    xyz[15:17, 1] += 0.004 * i
    return pose(
        START_NS + i * FRAME_NS,
        tracking=int(i not in GONE),
        index=i,
        xyz=xyz.astype(np.float32),
        mode="solved" if i >= SOLVED_FROM else "cold",
        score=np.full(len(NAMES), 0.9, np.float32),
        residual_px=np.full(len(NAMES), 2.0, np.float32),
        age_ns=20_000_000 + i * 100_000,
    )


def write_session(path: Path, messages: Iterable[Message], origin: Origin = "live") -> Path:
    """Writes a session as the recorder does."""
    config = Config(camera=tuple(CameraConfig(source="sim", name=f"cam{i}", member=i, members=2) for i in range(2)))
    file = McapWriter(path, new_info(config, origin, START_NS + UNIX_FROM_RIG_NS, UNIX_FROM_RIG_NS))
    drawing = ViewerStream(with_video=True)
    for message in messages:
        if isinstance(message, VideoFrame):
            file.add_viewer_message(image_message(message, UNIX_FROM_RIG_NS), message.index)
            continue
        file.add(message, encode(message), getattr(message, "t_ns", START_NS) + UNIX_FROM_RIG_NS)
        for drawn in drawing.convert(message, UNIX_FROM_RIG_NS):
            file.add_viewer_message(drawn)
    return file.finish()


def imported() -> Iterator[Message]:
    """Yields keypoints only, as an import writes them."""
    return (message for message in sample() if isinstance(message, Keypoints2D))


def unsolved() -> Iterator[Message]:
    """Yields a session without a person."""
    for i in range(10):
        t_ns = START_NS + i * FRAME_NS
        yield from (keypoints(t_ns, people=0), rig(t_ns, solved=0), pose(t_ns, tracking=0, mode="cold", index=i))


def with_pictures(kind: str, data: Iterable[bytes]) -> Iterator[Message]:
    """Yields the sample, and images of cam0."""
    yield from sample()
    for i, picture_bytes in enumerate(data):
        yield VideoFrame(
            camera="cam0",
            index=i,
            t_ns=START_NS + i * FRAME_NS,
            size_px=SIZE_PX,
            format="h264" if kind == "h264" else "jpeg",
            keyframe=i == 0,
            data=picture_bytes,
        )
