"""What each worker process of a rig is started with.

``keys``: CURVE keys of this run; None = the sockets require none. ``restarts``: how often the worker was restarted.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pose_rig.config import MIN_FREE_BYTES, CameraConfig, Config, DetectorConfig, Origin, Pace, StreamConfig
from pose_rig.wire.authentication import Keys
from pose_rig.wire.tokens import Tokens


class Stop(Protocol):
    """The part of ``multiprocessing.Event`` that workers use."""

    def is_set(self) -> bool:
        """Whether the worker has to exit."""


class WallClock(Protocol):
    """The part of ``time`` that cameras use."""

    def monotonic_ns(self) -> int:
        """The monotonic clock."""

    def sleep(self, seconds: float, /) -> None:
        """Waits."""


class SystemClock:
    """The clock of this machine."""

    def monotonic_ns(self) -> int:
        """The monotonic clock."""
        return time.monotonic_ns()

    def sleep(self, seconds: float, /) -> None:
        """Waits."""
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


class Start(Protocol):
    """The part of ``multiprocessing.Value("q")`` used: start of recordings, monotonic ns; 0 until it is known."""

    value: int


@dataclass(frozen=True, slots=True)
class CameraJob:
    """What a camera worker is started with.

    Attributes:
        camera: The camera, named.
        detector: The detector; ``model`` is a path, or empty where the source has its own keypoints.
        pace: As in `Config`.
        endpoint: Fusion receives keypoints here.
        video: The recorder receives frames here; empty = the video is not recorded.
        thumbnails: The web worker receives thumbnails here; empty = there is none.
        phones: The web worker publishes the frames of phones here; empty = there is none.
        clock: By which frames are timed.
        appearance: Whether it also sends what people look like, as several are tracked.
    """

    camera: CameraConfig
    detector: DetectorConfig
    pace: Pace
    endpoint: str
    video: str = ""
    thumbnails: str = ""
    phones: str = ""
    clock: WallClock = SYSTEM_CLOCK
    keys: Keys | None = None
    restarts: int = 0
    appearance: bool = False


@dataclass(frozen=True, slots=True)
class GatewayJob:
    """What the worker that receives from cameras of other machines is started with.

    Attributes:
        cameras: Names of the remote cameras of the rig.
        endpoint: Where they connect.
        remote_keys: The keys that they hold.
        input: Fusion receives keypoints here.
        output: Endpoint to publish its Health on, for the workers of this run.
        video: The recorder receives frames here; empty = the video is not recorded.
        thumbnails: The web worker receives thumbnails here; empty = there is none.
        appearance: Whether the cameras also send what people look like, as several are tracked.
    """

    cameras: tuple[str, ...]
    endpoint: str
    remote_keys: Keys
    input: str
    output: str
    video: str = ""
    thumbnails: str = ""
    keys: Keys | None = None
    restarts: int = 0
    appearance: bool = False


@dataclass(frozen=True, slots=True)
class FusionJob:
    """What the fusion worker is started with.

    Attributes:
        config: The rig, cameras named.
        inputs: Endpoints to receive on: one per camera with pace ``all`` (lossless), else one for all (live).
        output: Endpoint to publish on for any program.
        record: The recorder receives here; empty = nothing is recorded.
        internal: Endpoint to publish on for the workers of this run; empty = none.
        records: Whether the recorder records from the start; else from a command of the user on.
        cores: How many the second of two passes may use; None = all.
    """

    config: Config
    inputs: tuple[str, ...]
    output: str
    record: str = ""
    internal: str = ""
    keys: Keys | None = None
    restarts: int = 0
    records: bool = True
    cores: int | None = None


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """What the fusion worker of a replay is started with.

    Attributes:
        fusion: Configuration and outputs; its inputs are not used.
        path: The session.
        exact: Repeat a live run at its own time steps; otherwise fuse every frame of the fastest camera.
        realtime: Play at the recorded speed; otherwise as fast as possible.
        from_s: Seconds from the start of the session; None = from the start.
        to_s: The same for the end.
        follows: Use the recorded cameras of a live run instead of estimating them again: many poses at once, which are
            those of the run to a fraction of a millimetre.
    """

    fusion: FusionJob
    path: str
    exact: bool
    realtime: bool
    from_s: float | None = None
    to_s: float | None = None
    restarts: int = 0
    follows: bool = False


@dataclass(frozen=True, slots=True)
class ImagesJob:
    """What the worker that shows the images of a replayed session is started with.

    Attributes:
        path: The session.
        cameras: Its cameras.
        input: Fusion publishes here, which says how far the replay is.
        thumbnails: The web worker receives thumbnails here.
        without: Those of the cameras that have no images: their detections are shown alone.
    """

    path: str
    cameras: tuple[str, ...]
    input: str
    thumbnails: str
    without: tuple[str, ...] = ()
    keys: Keys | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class RecordJob:
    """What the recorder is started with.

    Attributes:
        config: The rig that is recorded, without passwords.
        path: The session to write (MCAP).
        input: Endpoint to receive on.
        output: Endpoint to publish its Health on.
        origin: ``live``: the rig clock is the monotonic clock of this machine; ``files``: that of the files.
        unix_from_rig_ns: Unix time minus rig clock, if known from an earlier recording.
        least_free_bytes: The recording ends when less than this is free on its disk.
        from_ns: Images captured before are left out; they waited for a recorder.
    """

    config: Config
    path: str
    input: str
    output: str
    origin: Origin = "live"
    unix_from_rig_ns: int | None = None
    least_free_bytes: int = MIN_FREE_BYTES
    from_ns: int = 0
    keys: Keys | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class StreamJob:
    """What the streams worker is started with.

    Attributes:
        stream: Receivers and options.
        input: Fusion publishes here.
        output: Endpoint to publish Health and Streams on for any program.
        internal: The same for the workers of this run; empty = none.
        token: WebSocket clients need it; empty = none.
        people: How many are tracked at most.
    """

    stream: StreamConfig
    input: str
    output: str
    internal: str = ""
    token: str = field(default="", repr=False)
    keys: Keys | None = None
    restarts: int = 0
    people: int = 1


@dataclass(frozen=True, slots=True)
class WebJob:
    """What the web worker is started with.

    Attributes:
        config: The rig, without passwords.
        live: Whether this is a live run, rather than files or a replay.
        hosts: Addresses to listen on, loopback first.
        names: Host names and addresses under which browsers reach it, which its certificate is for.
        port: The port on all of them.
        tokens: The first path segments of its addresses.
        folder: Folder of the root certificate of this machine.
        inputs: Other workers publish here: fusion, then streams and recorder if there are any.
        output: Endpoint to publish Health and Command on, for the workers of this run.
        thumbnails: Endpoint to receive thumbnails of the cameras on.
        phones: Endpoint to publish the frames of phones on.
        recorded: Whether what is seen has happened already, as in files and replays: advice would come too late.
        no_images: By camera, why it has no images to be shown; not of those that have.
    """

    config: Config
    live: bool
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    port: int
    tokens: Tokens
    folder: str
    inputs: tuple[str, ...]
    output: str
    thumbnails: str
    phones: str
    keys: Keys | None = None
    restarts: int = 0
    recorded: bool = False
    no_images: Mapping[str, str] = field(default_factory=dict)
