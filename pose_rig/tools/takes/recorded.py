"""The properties of a recorded session that fusing it again needs."""

from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from pose_rig.config import Config, StreamConfig
from pose_rig.errors import SessionError
from pose_rig.wire.messages import Pose3D


@dataclass(frozen=True, slots=True)
class Recorded:
    """The properties of a session that a replay needs.

    Attributes:
        path: The file that is read: the ``.partial`` of a session that was cut off.
        config: Of the recording.
        live: Whether it contains the poses of a live run.
        unix_from_rig_ns: Unix time minus rig clock.
        warnings: Warnings for the user.
    """

    path: Path
    config: Config
    live: bool
    unix_from_rig_ns: int
    warnings: list[str]

    @property
    def neutral(self) -> Config:
        """The configuration without where the results of that run went, to fuse every message again."""
        return structs.replace(
            self.config,
            save="", record="", video=False, rig="", duration_s=None, pace="all", stream=StreamConfig(),
            view=False, phones=0, host="",
        )  # fmt: skip


def changes_poses(config: Config, recorded: Config) -> bool:
    """Returns whether live poses would be others with a configuration than with that of the recording."""
    settings = [
        (one.camera, one.height_m, one.other_heights_m, one.people, structs.replace(one.fusion, provider="auto"))
        for one in (config, recorded)
    ]
    return settings[0] != settings[1]


def no_images(path: Path) -> dict[str, str]:
    """Returns why cameras of a session have no images that can be shown; those that have are left out."""
    from pose_rig.session.reader import Session  # imports MCAP
    from pose_rig.session.replay_images import why_no_images

    with Session(path) as session:
        reasons = {camera: why_no_images(session, camera) for camera in session.cameras}
    return {camera: reason for camera, reason in reasons.items() if reason}


def recorded_in(path: Path, start_s: float | None, end_s: float | None) -> Recorded:
    """Returns the properties of a session.

    Args:
        path: The session.
        start_s: Seconds from its start, None = from the start.
        end_s: Seconds from its start, None = to the end.

    Raises:
        SessionError: It cannot be read, or has no keypoints.
        UsageError: The selected part is empty.
    """
    from pose_rig.session.formats.poses import check_range
    from pose_rig.session.reader import Session  # imports MCAP

    with Session(path) as session:
        check_range(start_s or 0.0, end_s, session.duration_s)
        if not any(session.topics.get(f"keypoints/{camera}") for camera in session.cameras):
            raise SessionError(f"{session.path} has no keypoints.", "Replay a session with keypoints.")
        live = session.info.origin == "live" and Pose3D.TOPIC in session.topics
        return Recorded(session.path, session.info.config, live, session.info.unix_from_rig_ns, session.warnings)
