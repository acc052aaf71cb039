"""What each worker process of a rig is started with."""

from dataclasses import dataclass

from pose_rig.config import LEAST_FREE_BYTES, CameraConfig, Config, DetectorConfig, Origin, Pace, StreamConfig
from pose_rig.wire.authentication import Keys


@dataclass(frozen=True, slots=True)
class CameraJob:
    """All that one camera process is told.

    Attributes:
        camera: The camera, its name filled in.
        detector: The detector; ``model`` is a path by now, or empty where the source brings its own keypoints.
        pace: As in `Config`.
        endpoint: Where the fusion node listens.
        video: Where the recorder listens for pictures; empty = they are not wanted.
        keys: Those of this run; None = its channels are open to all.
        restarts: How often this worker was restarted.
    """

    camera: CameraConfig
    detector: DetectorConfig
    pace: Pace
    endpoint: str
    video: str = ""
    keys: Keys | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class FusionJob:
    """All that the fusion process is told.

    Attributes:
        config: The rig, cameras named.
        inputs: Endpoints to listen on: one per camera with pace ``all`` (lossless), else one for all (live).
        output: Endpoint to publish on, for anybody.
        record: Where the recorder listens; empty = nothing is recorded.
        inside: Endpoint to publish on for the workers of this run alone; empty = for nobody.
        keys: Those of this run; None = its channels are open to all.
        restarts: How often this worker was restarted.
    """

    config: Config
    inputs: tuple[str, ...]
    output: str
    record: str = ""
    inside: str = ""
    keys: Keys | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """All that a replay is told.

    Attributes:
        fusion: What to make of the keypoints, and where the poses go; its inputs are not used.
        path: The session.
        exact: Go through a live run again instant by instant; otherwise fuse every frame of the fastest camera.
        realtime: As fast as it was; otherwise as fast as it goes.
        from_s: Seconds from the start of the session; None = from the start.
        to_s: The same for the end.
        restarts: How often this worker was restarted.
    """

    fusion: FusionJob
    path: str
    exact: bool
    realtime: bool
    from_s: float | None = None
    to_s: float | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class RecordJob:
    """All that the recorder is told.

    Attributes:
        config: The rig that is recorded, without passwords.
        path: The session to write (MCAP).
        input: Endpoint to listen on.
        output: Endpoint on which it says how it is doing.
        origin: ``live``: the rig clock is that of this machine, now; ``files``: it is that of the files.
        unix_from_rig_ns: What turns the rig clock into the time of day, where that is known from an earlier recording.
        least_free_bytes: The recording ends when less than this is free on its disk.
        keys: Those of this run; None = its channels are open to all.
        restarts: How often this worker was restarted; every incarnation writes a file of its own.
    """

    config: Config
    path: str
    input: str
    output: str
    origin: Origin = "live"
    unix_from_rig_ns: int | None = None
    least_free_bytes: int = LEAST_FREE_BYTES
    keys: Keys | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class StreamJob:
    """All that the process that feeds engines is told.

    Attributes:
        stream: What goes where.
        input: Where fusion publishes.
        output: Endpoint on which it says how it is doing and what it sends, for anybody.
        inside: The same for the workers of this run alone; empty = for nobody.
        keys: Those of this run; None = its channels are open to all.
        restarts: How often this worker was restarted.
    """

    stream: StreamConfig
    input: str
    output: str
    inside: str = ""
    keys: Keys | None = None
    restarts: int = 0
