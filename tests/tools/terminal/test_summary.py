"""What a run says at its end and while it has nothing to show yet, without any process."""

from pathlib import Path

import msgspec
import pytest

from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.terminal.run_display import status_line
from pose_rig.tools.terminal.runner import partial_recording
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import no_person_error, summary
from pose_rig.wire.messages import CameraState, Health, RigState, State, Streams, Target
from tests.tools.terminal.test_solved_rig import shown, status_of

NOBODY = "No person was detected in any camera. Check that the whole person is in the images"


def told(name: str, state: State, frames: int = 0, error: str = "", dropped: int = 0) -> Health:
    return Health(worker=name, t_ns=2, state=state, frames=frames, error=error, dropped=dropped)


def known(name: str, health: float = 0.0, agreement: float | None = None, note: str = "") -> CameraState:
    return CameraState(
        name=name, focal_px=1152.0, size_px=(1280, 720), health=health, agreement=agreement, note=note
    )  # fmt: skip


def unknown(name: str) -> CameraState:
    return CameraState(name=name, focal_px=0.9, note="no frames yet")


def status(cameras: tuple[CameraState, ...], *healths: Health, streams: Streams | None = None) -> RunStatus:
    made = status_of(config_of("sim:2"), RigState(t_ns=2, mode="settled", cameras=cameras))
    for health in healths:
        made.telemetry.update(health)
    if streams is not None:
        made.telemetry.update(streams)
    return made


def test_the_frame_rate_of_a_file_that_ended_earlier_is_that_until_its_end() -> None:
    early = known("sim0", 0.0, 0.93, "no person detected")
    late = known("sim1", 0.5, 0.9, "disagrees with the others")
    over = status((early, late), told("sim0", "ended", 40), told("sim1", "ended", 60))
    _, first, second, *_ = summary(over, None)
    assert first.startswith("  sim0: 40 frames, ")
    assert first.endswith(" 0 dropped, agreement 93%.")
    assert second.endswith(" 0 dropped, agreement 90%. disagrees with the others")
    assert no_person_error(over) is None


def test_a_run_without_a_person_reports_it_first() -> None:
    cameras = (known("sim0", note="no person detected"), known("sim1", note="no person detected"))
    nobody = status(cameras, told("sim0", "ended", 40), told("sim1", "ended", 60))
    first, _, camera, *_ = summary(nobody, None)
    assert first.startswith(NOBODY)
    assert camera.endswith("0 dropped, no person detected.")
    failure = no_person_error(nobody)
    assert failure is not None
    assert failure.exit_code == 1
    assert str(failure) == first


def test_the_error_of_a_camera_is_reported_though_its_file_ended_earlier() -> None:
    mirrored = "its image looks mirrored: set mirror = true for it in the rig.toml"
    over = status((known("sim0", 0.0, 0.7, mirrored), known("sim1", 0.5, 0.9)), told("sim0", "ended", 40))
    assert summary(over, None)[1].endswith(f"agreement 70%. {mirrored}")


def test_a_camera_without_a_frame_is_named_with_the_reason() -> None:
    reason = "A frame was 32×24 instead of 64×48."
    one = status(
        (known("sim0", 0.9, 0.9), unknown("sim1")), told("sim0", "ended", 40), told("sim1", "ended", 0, reason, 7)
    )
    assert summary(one, None)[2] == f"  sim1 delivered no frame, 7 dropped. {reason}"
    assert no_person_error(one) is None
    late = status((known("sim0", 0.9, 0.9), unknown("sim1")), told("sim0", "ended", 40), told("sim1", "ready"))
    assert summary(late, None)[2] == "  sim1 delivered no frame. The run ended before its first one."
    never = status((known("sim0", 0.9, 0.9), unknown("sim1")), told("sim0", "ended", 40))
    assert summary(never, None)[2] == "  sim1 delivered no frame. It was not ready when the run ended."


def test_a_run_without_any_frame_reports_it_first() -> None:
    none = status((unknown("sim0"), unknown("sim1")), told("sim0", "ready"), told("sim1", "ready"))
    assert summary(none, None)[0] == "No camera delivered a frame. The line of each camera gives the reason."
    failure = no_person_error(none)
    assert failure is not None
    assert failure.cause == "No camera delivered a frame."


def test_before_its_first_frame_a_camera_has_neither_focal_length_nor_agreement() -> None:
    waiting = status((unknown("sim0"), known("sim1", 0.9, 0.9)), told("sim0", "ready"), told("sim1", "running", 5))
    table = shown(waiting).splitlines()
    assert table[1].split() == ["sim0", "ready", "0.0", "0", "0", "0", "–"]
    assert table[2].split()[-2:] == ["90%", "1152"]
    assert table[3].rstrip() == "sim0: no frames yet"
    assert "nobody" not in "\n".join(table)


def test_the_status_line_shows_that_there_are_no_frames_yet() -> None:
    waiting = status((unknown("sim0"), known("sim1", 0.9, 0.9)), told("sim0", "ready"), told("sim1", "running", 5))
    assert " | sim0 no frames yet | sim1 0 fps" in status_line(waiting)


def sent(**target: object) -> str:
    made = Target(kind="vmc", address="127.0.0.1:39539", **target)  # type: ignore[arg-type]
    return status((), streams=Streams(t_ns=1, targets=(made,))).stream_totals()[0]


def test_totals_of_what_was_sent() -> None:
    place = "vmc 127.0.0.1:39539"
    assert sent(frames=810) == f"Sent 810 frames to {place} (UDP: receipt is not confirmed)."
    assert sent(frames=810, unheard=100).endswith(
        "(UDP: receipt is not confirmed, 100 of them while the port was closed)."
    )
    nobody = f"No receiver at {place}: all 810 frames were lost. Is the receiver running there?"
    assert sent(frames=810, unheard=809) == nobody
    assert sent(frames=5, clients=1, clients_ever=3) == f"Sent 5 frames to {place} (clients: 3 ever, 1 now)."
    assert sent(clients=0, clients_ever=0) == f"No client connected to {place}."
    assert sent(frames=0).startswith("Sent 0 frames")


@pytest.mark.parametrize("saved", [None, Path("poses.npz")])
def test_a_run_that_did_not_start_is_no_error_of_its_own(saved: Path | None) -> None:
    early = status(())
    early.telemetry.start_ns = 0
    assert summary(early, saved) == ["The run ended before it started."]
    assert no_person_error(early) is None


def test_an_unfinished_recording_is_named(tmp_path: Path) -> None:
    record, partial = tmp_path / "take.mcap", tmp_path / "take.mcap.partial"
    over = status_of(
        msgspec.structs.replace(config_of("sim:2"), record=str(record)), RigState(t_ns=2, mode="settled", cameras=())
    )
    assert partial_recording(over) == []
    partial.write_bytes(b"")
    assert partial_recording(over) == [
        f"The unfinished recording is in {partial}: `pose-rig recover {record}` makes a session of it."
    ]
    record.write_bytes(b"")
    assert partial_recording(over) == []
