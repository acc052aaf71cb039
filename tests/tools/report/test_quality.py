from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pose_rig.session.formats.poses_file import write_poses
from pose_rig.session.reader import Session
from pose_rig.tools.report.data import poses_file_data, session_data
from pose_rig.tools.report.page import ROW_IN, write_report
from pose_rig.tools.report.plot_style import DPI
from pose_rig.tools.report.quality import Quality, quality_of, residuals_px
from pose_rig.wire.messages import NO_PERSON, Message, Pose3D, RigState
from tests.session.drawable import NAMES
from tests.tools.sessions import (
    FRAME_NS,
    SOLVED_FROM,
    imported,
    moving_pose,
    sample,
    two_people,
    unsolved,
    write_session,
)


def quality(path: Path) -> Quality:
    with Session(path) as session:
        return quality_of(session_data(session))


def test_figures_of_a_session(tmp_path: Path) -> None:
    found = quality(write_session(tmp_path / "S.mcap", sample()))
    assert (found.poses, found.rate_hz) == (60, 30.0)
    assert found.tracked == pytest.approx(54 / 60)
    assert found.solved == pytest.approx(40 / 60)
    assert found.solved_after_s == pytest.approx(SOLVED_FROM * FRAME_NS * 1e-9)
    assert (found.residual_px, found.residual_95_px) == (2.0, 2.0)
    assert found.bone_variation_percent == pytest.approx(0.0, abs=1e-3)
    assert found.joint_sd_mm is None
    assert (found.height_m, found.height_assumed) == (1.7, True)
    assert [(camera.name, camera.frames, camera.missing) for camera in found.cameras] == [
        ("cam0", 60, 0),
        ("cam1", 55, 5),
    ]
    assert found.warnings == (
        "A body height of 1.70 m was assumed: lengths are those of such a person.",
        "cam1 lacks 5 of 60 frames.",
    )
    assert found.sentence().startswith(
        "solved after 0.7 s, tracked 90 % of the time, residual 2.0 px, bone lengths vary"
    )


def test_every_person_has_figures(tmp_path: Path) -> None:
    found = quality(write_session(tmp_path / "S.mcap", two_people()))
    assert isinstance(found.people, tuple)
    assert [(one.person, one.height_m, one.height_assumed) for one in found.people] == [
        (0, 1.7, True),
        (2, 1.55, False),
    ]
    assert [one.tracked for one in found.people] == pytest.approx([54 / 60, 50 / 60])
    assert [one.residual_px for one in found.people] == [2.0, 2.0]
    assert found.tracked == pytest.approx(54 / 60)  # of the first
    assert found.sentence().startswith("2 people, solved after 0.7 s, tracked 90 %")
    alone = quality(write_session(tmp_path / "one.mcap", sample()))
    assert b"people" not in msgspec.json.encode(alone)


def test_notes_and_clocks_are_those_at_the_end(tmp_path: Path) -> None:
    def noted() -> Iterator[Message]:
        for message in sample():
            if isinstance(message, RigState):
                first, second = message.cameras
                first = msgspec.structs.replace(first, time_offset_s=-0.024, time_offset_sd_s=0.002, note=NO_PERSON)
                second = msgspec.structs.replace(second, agreement=0.7, note="disagrees with the others")
                message = msgspec.structs.replace(message, cameras=(first, second), note="The vertical is uncertain.")
            yield message

    path = write_session(tmp_path / "S.mcap", noted())
    found = quality(path)
    first, second = found.cameras
    assert first.clock_offset_ms == pytest.approx(-24)
    assert first.clock_offset_sd_ms == pytest.approx(2)
    assert second.agreement == pytest.approx(0.7)
    assert second.clock_offset_sd_ms is None
    assert found.warnings[0] == "The vertical is uncertain."
    assert "cam1: disagrees with the others" in found.warnings
    assert not any(NO_PERSON in warning for warning in found.warnings)
    with Session(path) as session:
        write_report(session_data(session), tmp_path / "r.html")
    assert "<p>The vertical is uncertain.</p>" in (tmp_path / "r.html").read_text("utf-8")


def test_long_notes_and_dollar_signs_fit_on_the_page(tmp_path: Path) -> None:
    with Session(write_session(tmp_path / "S.mcap", imported(), "import")) as session:
        data = session_data(session)
    plain, noted = tmp_path / "plain.png", tmp_path / "noted.png"
    write_report(replace(data, name="a$x_{$"), plain)
    write_report(replace(data, notes=("A word or two. " * 20,)), noted)
    heights = [cv2.imread(str(path)).shape[0] for path in (plain, noted)]  # type: ignore[union-attr]
    assert heights[1] - heights[0] == pytest.approx(4 * ROW_IN * DPI, abs=2)  # an empty line and three of text


def test_what_is_not_known_is_none(tmp_path: Path) -> None:
    found = quality(write_session(tmp_path / "kp.mcap", imported(), "import"))
    assert (found.poses, found.solved_after_s, found.residual_px, found.height_m) == (0, None, None, None)
    assert found.warnings == ("There are no poses.",)
    found = quality(write_session(tmp_path / "empty.mcap", unsolved()))
    assert (found.tracked, found.solved_after_s, found.residual_px, found.bone_variation_percent) == (
        0,
        None,
        None,
        None,
    )
    assert found.sentence() == "not solved, tracked 0 % of the time"
    assert any(warning.startswith("No person is tracked") for warning in found.warnings)


def test_a_poses_file_has_figures_too(tmp_path: Path) -> None:
    with Session(write_session(tmp_path / "S.mcap", sample())) as session:
        write_poses(tmp_path / "p.npz", session.poses())
    assert quality_of(poses_file_data(tmp_path / "p.npz")).residual_px == 2.0


def test_limbs_that_change_their_length_are_a_warning(tmp_path: Path) -> None:
    def growing() -> Iterator[Message]:
        for i in range(20):
            message = moving_pose(i)
            assert isinstance(message, Pose3D)
            yield msgspec.structs.replace(message, xyz=message.xyz * np.float32(1 + 0.02 * i))

    [*_, warning] = quality(write_session(tmp_path / "S.mcap", growing())).warnings
    assert warning.startswith("The limbs change their length by 10 %, so poses are wrong: a camera moved, or")


def test_the_residual_counts_only_what_was_detected(tmp_path: Path) -> None:
    def uneven() -> Iterator[Message]:
        residual, score = np.zeros(len(NAMES), np.float32), np.full(len(NAMES), 0.9, np.float32)
        residual[:4] = 1, 3, 100, 1000
        score[2:] = 0
        residual[17:] = 50
        for i in range(3):
            yield msgspec.structs.replace(moving_pose(i), residual_px=residual, score=score)

    with Session(write_session(tmp_path / "S.mcap", uneven())) as session:
        np.testing.assert_allclose(residuals_px(session.poses()), 2.0)
