"""Size of sessions, by topic.

    python -m benchmarks.speed.session_size --json size.json

A live rig of four cameras at 30 frames per second with the detections of the demo clip in a loop, with one and with two
persons. The size of a group of topics is that of a file that holds only them and is flushed as often.
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer
from numpy.typing import NDArray

from benchmarks.clips import CLIP_FPS
from benchmarks.contract import MB, Report, parser
from benchmarks.live_run import run_live
from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.capture.mediapipe_detector import MediaPipeDetector
from pose_rig.capture.video_capture import open_device, open_ffmpeg, size_px
from pose_rig.config import Config, DetectorConfig
from pose_rig.session.recorder import FLUSH_INTERVAL_S
from pose_rig.tools.arguments.camera_list import config_of

FPS = 30.0
CAMERAS = 4
HOUR_S = 3600
SECOND_PERSON_PX = 150.0  # horizontal offset of the second person
KEYPOINTS = "keypoints"
GROUPS = {KEYPOINTS: "keypoints/", "poses": "pose", "refined 2D": "refined/", "rig": "rig", "drawings": "/"}


def detections(video: Path, model: str) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[int, int]]:
    """Returns xy (T,K,2) px, score (T,K) and the image size, of every second frame: 30 per second."""
    device = open_ffmpeg(str(video), open_device)
    size, xy, score = size_px(device), [], []
    with closing(MediaPipeDetector(DetectorConfig(model=model))) as detector:
        count = 0
        while device.grab():
            people = detector.detect(device.retrieve()[1], round(count * 1e9 / CLIP_FPS))
            count += 1
            if count % 2 and len(people.xy):
                xy.append(people.xy[0])
                score.append(people.score[0])
    device.release()
    return np.array(xy), np.array(score), size


def keypoint_file(path: Path, model: str, seconds: float, people: int) -> Path:
    """Writes the detections of the cameras: the clip played forwards and backwards."""
    views = [detections(video, model) for video in demo_clip(print)[:CAMERAS]]
    length = min(len(xy) for xy, _, _ in views)
    frames = np.arange(round(seconds * FPS))
    played = length - 1 - np.abs(length - 1 - frames % (2 * length - 2))
    xy = np.stack([xy[played] for xy, _, _ in views])[:, :, None].repeat(people, 2)
    xy[:, :, 1:, :, 0] += SECOND_PERSON_PX
    xy[:, :, 1:] += np.random.default_rng(0).normal(0, 2.0, xy[:, :, 1:].shape)  # not an exact copy
    score = np.stack([score[played] for _, score, _ in views])[:, :, None].repeat(people, 2)
    t_ns = np.tile(np.round(frames * 1e9 / FPS).astype(np.int64), (CAMERAS, 1))
    sizes = np.array([size for _, _, size in views])
    np.savez(path, xy=xy, score=score, t_ns=t_ns, landmarks="mediapipe33", size_px=sizes)
    return path


def record(keypoints: Path, path: Path) -> None:
    """Records a live rig with the detections of a file."""
    config = config_of(str(keypoints))
    run_live(Config(camera=config.camera, port=0, record=str(path)), lambda *_: None)


def records(path: Path) -> Iterator[tuple[str, bytes, int, int]]:
    """Yields topic, payload, log time and publish time of every message, in file order."""
    with path.open("rb") as file:
        for _, channel, message in make_reader(file).iter_messages(log_time_order=False):
            yield channel.topic, message.data, message.log_time, message.publish_time


def size_alone(path: Path, out: Path, prefix: str) -> int:
    """Returns the bytes of a file with the messages of one group of topics."""
    with out.open("wb") as file:
        writer = Writer(file)
        writer.start()
        channels: dict[str, int] = {}
        flushed_ns = 0
        for number, (topic, data, log_ns, publish_ns) in enumerate(records(path)):
            if not topic.startswith(prefix):
                continue
            if topic not in channels:
                channels[topic] = writer.register_channel(topic, "", 0)
            if log_ns - flushed_ns > FLUSH_INTERVAL_S * 1e9:
                writer.flush()  # type: ignore[no-untyped-call]
                flushed_ns = log_ns
            writer.add_message(channels[topic], log_ns, data, publish_ns, number)
        writer.finish()  # type: ignore[no-untyped-call]
    return out.stat().st_size


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds = 5.0 if args.quick else args.seconds
    model = str(detector_model(args.model, print))
    for people in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            record(keypoint_file(folder / "kp.npz", model, seconds, people), folder / "take.mcap")
            frames = sum(topic.startswith("keypoints/") for topic, *_ in records(folder / "take.mcap"))
            per_hour = HOUR_S / (frames / FPS / CAMERAS) / MB
            prefix = f"{people} persons: "
            for group, topic in GROUPS.items():
                size = size_alone(folder / "take.mcap", folder / "part.mcap", topic)
                wanted = "< 150" if group == KEYPOINTS else ""
                report.add(f"{prefix}{group}", "MB/h", [size * per_hour], wanted)
            report.add(f"{prefix}all of it", "MB/h", [(folder / "take.mcap").stat().st_size * per_hour])
            report.add(f"{prefix}frames recorded", "%", [100 * frames / (seconds * FPS * CAMERAS)])
    report.finish(args.json)


if __name__ == "__main__":
    main()
