"""Phones as cameras, played by headless Chromium: a tab each, whose camera plays one clip of the demo.

    python -m benchmarks.live.phones --reference pose2sim_single_4view.npz

The clips are reduced and played slowly, at the frame rate of the cameras; a run with the same clips as files, at the
same rate, is compared with it. Measured are the error of the poses (PA-MPJPE over 12 joints of arms and legs), their
latency from capture to publication, how soon a tab that is killed is named, and how soon one that is loaded again
delivers. The cameras of the tabs start within some hundredths of a second, not at the same time. Poses are compared
up to the reload: from then on one tab is at another place of its clip than the others.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace

from benchmarks.contract import Figure, Report, parser
from benchmarks.live.phone_browser import PhoneBrowser
from benchmarks.live_run import StatusDisplay
from pose_rig.arrays import Floats
from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.config import PHONE, CameraConfig, Config, DetectorConfig, FusionConfig
from pose_rig.skeleton import INDEX
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.tools.workers.plan import Plan, plan
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.web.network import url

ENDS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMBS = [INDEX[f"{side}_{joint}"] for side in "lr" for joint in ENDS]
SETTLE_S = 3.0  # after an event
RELOAD_S = 8.0  # in which a reloaded tab delivers again
POLL_S = 0.02
SHIFT_STEP_S = 0.01
REPEATED = (0, 1, 2)  # frames that are shown twice when the clip begins again: none of files, one in Chromium


@dataclass(slots=True)
class Observed:
    """What a run showed.

    Attributes:
        reloaded_ns: When a tab was loaded again.
        named_s: Time from the kill of a tab until its camera was named.
        back_s: Time from a reload until the camera delivered again.
        others_hz: Frames per second of each other camera before and after the kill.
    """

    reloaded_ns: int = 0
    named_s: float = np.nan
    back_s: float = np.nan
    others_hz: list[tuple[float, float]] = field(default_factory=list)


def write_y4m(video: Path, path: Path, side_px: int, fps: float) -> Path:
    """Writes a video reduced to a long side, with the header of another frame rate."""
    capture = cv2.VideoCapture(str(video))
    with path.open("wb") as file:
        while True:
            found, image = capture.read()
            if not found:
                break
            scale = side_px / max(image.shape[:2])
            width, height = (2 * round(side * scale / 2) for side in image.shape[1::-1])
            if file.tell() == 0:
                file.write(f"YUV4MPEG2 W{width} H{height} F{round(fps)}:1 Ip A1:1 C420jpeg\n".encode())
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            file.write(b"FRAME\n" + cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def write_reduced(y4m: Path, path: Path, fps: float) -> Path:
    """Writes the same images as a video file."""
    capture = cv2.VideoCapture(str(y4m))
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    while True:
        found, image = capture.read()
        if not found:
            break
        writer.write(image)
    writer.release()
    return path


def error_mm(poses: Path, reference: Floats, fps: float, from_s: float, until_ns: float) -> tuple[float, int]:
    """Returns the mean PA-MPJPE of the solved poses within a time, and how many there are.

    The clip is played again and again, from a time and with a period that are not known: they are those of the smallest
    error.

    Args:
        poses: The poses file.
        reference: (T,17,3) m, of every frame of the clip.
        fps: At which the clip is played.
        from_s: Seconds since the first pose.
        until_ns: Time, that of the poses.
    """
    if not poses.exists():  # the machine was too slow for a single pose
        return np.nan, 0
    with np.load(poses) as file:
        t_ns, xyz, mode = file["t_ns"], file["xyz"].astype(float), file["mode"]
    t_s = (t_ns - t_ns[0]) * 1e-9
    used = np.isfinite(xyz).all((1, 2)) & (mode == "solved") & (t_s > from_s) & (t_ns < until_ns)
    t_s, xyz = t_s[used], xyz[used][:, LIMBS]
    if not len(t_s):
        return np.nan, 0
    some = slice(None, None, max(len(t_s) // 200, 1))

    def errors(period_s: float, shift_s: float, part: slice) -> Floats:
        frame = (t_s[part] + shift_s) % period_s * fps
        inside = frame < len(reference) - 1  # the person jumps at the end
        before = frame[inside].astype(int)
        share = (frame[inside] - before)[:, None, None]
        truth = (1 - share) * reference[before] + share * reference[before + 1]
        return np.asarray(pmpjpe(xyz[part][inside], truth[:, LIMBS])) * 1e3

    periods_s = [(len(reference) + repeated) / fps for repeated in REPEATED]
    played = [(period_s, float(shift)) for period_s in periods_s for shift in np.arange(0.0, period_s, SHIFT_STEP_S)]
    period_s, shift_s = min(played, key=lambda one: float(errors(one[0], one[1], some).mean()))
    return float(errors(period_s, shift_s, slice(None)).mean()), len(t_s)


class PhoneRun:
    """One run with phones: starts the browsers, kills and reloads one of them, and watches what happens.

    Args:
        ready: The run.
        clips: What the phones play.
        fps: Frames per second that they send.
        events_s: Seconds after the start of all phones at which the last one is killed.
    """

    def __init__(self, ready: Plan, clips: Sequence[Path], fps: float, events_s: float) -> None:
        job = ready.web
        self._address = url("127.0.0.1", job.port, job.tokens.camera) if job else ""
        self._clips, self._events_s = clips, events_s
        self._settings = {"rate": str(round(fps)), "resolution": "480"}
        self.observed, self.ended = Observed(), threading.Event()
        self._status: RunStatus
        self._thread = threading.Thread(target=self._play, daemon=True)

    def on_status(self, _: int, status: RunStatus) -> None:
        """Takes the status of the run, and starts the browsers at its start."""
        self._status = status
        if self._thread.ident is None:
            self._thread.start()

    def _play(self) -> None:
        try:
            self._play_clips()
        finally:
            self.ended.set()

    def _play_clips(self) -> None:
        with ExitStack() as stack:
            browsers = [stack.enter_context(PhoneBrowser(clip)) for clip in self._clips]
            for browser in browsers:
                browser.open(self._address, self._settings)
            for browser in browsers:
                browser.start()
            time.sleep(self._events_s)
            self._reload_and_kill(browsers[-1])

    def _reload_and_kill(self, browser: PhoneBrowser) -> None:
        views = range(len(self._clips))
        reloaded_s = time.monotonic()
        self.observed.reloaded_ns = time.monotonic_ns()
        browser.reload()
        browser.start()
        arrivals = self._arrivals(RELOAD_S)
        rates = [self._rate(view) for view in views]
        killed_s = time.monotonic()
        browser.kill()
        while not (named := [view for view in views if self._camera(view).error]):
            time.sleep(POLL_S)
        self.observed.named_s = time.monotonic() - killed_s
        time.sleep(SETTLE_S)
        self.observed.others_hz = [(rates[view], self._rate(view)) for view in views if view not in named]
        self.observed.back_s = _end_of_longest_gap_s([reloaded_s, *arrivals[named[0]]]) - reloaded_s

    def _arrivals(self, seconds: float) -> list[list[float]]:
        """Returns for each camera when frames arrived, during so many seconds."""
        times: list[list[float]] = [[] for _ in self._clips]
        frames, end_s = [self._camera(view).frames for view in range(len(times))], time.monotonic() + seconds
        while time.monotonic() < end_s:
            time.sleep(POLL_S)
            for view, arrived in enumerate(times):
                if (count := self._camera(view).frames) != frames[view]:
                    frames[view] = count
                    arrived.append(time.monotonic())
        return times

    def _camera(self, view: int) -> CameraStatus:
        return self._status.cameras()[view]

    def _rate(self, view: int) -> float:
        return self._camera(view).health.rate_hz


def _end_of_longest_gap_s(times_s: Sequence[float]) -> float:
    """Returns the time at which the longest gap ends; NaN without two times."""
    gaps = [(after - before, after) for before, after in pairwise(times_s)]
    return max(gaps, default=(0.0, np.nan))[1]


def run_phones(config: Config, model: str, clips: Sequence[Path], fps: float, seconds: float) -> tuple[Run, PhoneRun]:
    """Runs a rig of phones until all events have happened."""
    ready = plan(config, model)
    phones = PhoneRun(ready, clips, fps, seconds)
    run = Run(ready, StatusDisplay(phones.on_status), stop_when=lambda _: phones.ended.is_set())
    run.run()
    return run, phones


def run_files(config: Config, model: str) -> Run:
    """Runs a rig of files until its time is up."""
    run = Run(plan(config, model), StatusDisplay(lambda _, status: None))
    run.run()
    return run


def measure(args: argparse.Namespace, folder: Path) -> list[Figure]:
    """Returns the figures of both runs."""
    with np.load(args.reference) as file:
        reference = np.asarray(file["ref3d_h36m17"], float)
    videos = [Path(video) for video in args.clips.split(",")] if args.clips else demo_clip(print)
    clips = [write_y4m(video, folder / f"{video.stem}.y4m", args.side, args.fps) for video in videos]
    base = Config(detector=DetectorConfig(model=args.model), fusion=FusionConfig(rate_hz=args.rate), port=0, web_port=0)
    model = str(detector_model(args.model, print))
    cameras = tuple(CameraConfig(source=PHONE, name=f"phone{i + 1}", fps=args.fps) for i in range(len(clips)))
    saved = folder / "phones.npz"
    run, phones = run_phones(replace(base, camera=cameras, save=str(saved)), model, clips, args.fps, args.seconds)
    own_mm, count = error_mm(saved, reference, args.fps, args.settled, phones.observed.reloaded_ns)
    files = [write_reduced(clip, folder / f"{clip.stem}.avi", args.fps) for clip in clips]
    laps = round(args.seconds * args.fps / len(reference)) + 1
    cameras = tuple(CameraConfig(source=str(path), name=path.stem, fps=args.fps, repeat=laps) for path in files)
    saved = folder / "files.npz"
    other = run_files(replace(base, camera=cameras, save=str(saved), duration_s=args.seconds), model)
    files_mm, files_count = error_mm(saved, reference, args.fps, args.settled, np.inf)
    print(f"{count} and {files_count} solved poses are compared.")
    ages_ms = np.asarray(run.status.telemetry.ages_ns) * 1e-6
    rates = [camera.frames / run.status.elapsed_s() for camera in run.status.cameras()]
    file_rates = [camera.frames / other.status.elapsed_s() for camera in other.status.cameras()]
    observed = phones.observed
    return [
        Figure.of("frames of a phone", "1/s", rates),
        Figure.of("frames of a file", "1/s", file_rates),
        Figure.of("error, phones", "mm", [own_mm]),
        Figure.of("error, files", "mm", [files_mm]),
        Figure.of("error, phones : files", "", [own_mm / files_mm], "≤ 1.15"),
        Figure.of("capture to pose", "ms", ages_ms.tolist(), "≤ 150"),
        Figure.of("a killed tab is named after", "s", [observed.named_s], "≤ 3"),
        Figure.of("a reloaded tab is back after", "s", [observed.back_s], "≤ 3"),
        Figure.of("rate of the others, after : before", "", [after / before for before, after in observed.others_hz]),
    ]


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    arguments.add_argument("--reference", required=True, metavar="F.npz", help="3D of every frame: ref3d_h36m17")
    arguments.add_argument("--clips", metavar="A,B", help="videos; default: the demo clip")
    arguments.add_argument("--fps", type=float, default=10.0, help="of the phones")
    arguments.add_argument("--side", type=int, default=480, help="long side of the images, px")
    arguments.add_argument("--seconds", type=float, default=60.0, help="before the events")
    arguments.add_argument("--settled", type=float, default=20.0, help="seconds whose poses are not scored")
    arguments.add_argument("--rate", type=float, default=30.0, help="poses per second")
    arguments.add_argument("--model", default="full", help="2D detector")
    args = arguments.parse_args()
    if args.quick:
        args.seconds, args.settled = 5.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        report = Report.begin(args)
        report.figures = measure(args, Path(folder))
        report.finish(args.json)


if __name__ == "__main__":
    main()
