"""The benchmark of the foot lock. Nothing here measures time."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.engines import foot_lock
from benchmarks.engines.feet import FLIGHT_M, RATE_HZ, Take, sliding_m_s, takes
from pose_rig.skeleton import JOINTS
from tests.streaming.captured.footfalls import COLUMN, NAMES, Stepper, jumper, walker

TOES = ("l_toe", "r_toe")


def motion_file(path: Path, subject: Stepper) -> Path:
    root = subject.xyz[:, 0]
    rel = subject.xyz - root[:, None]
    feet = rel[:, [COLUMN["left_foot_index"], COLUMN["right_foot_index"]]]
    clip = {"clip_start": [0], "clip_len": [len(rel)], "clip_label": ["walking"], "fps": RATE_HZ}
    np.savez(path, joints17_rel=rel[:, :17], root=root, extra_rel=feet, extra_names=TOES, **clip)  # type: ignore[arg-type]
    return path


def test_motion_files_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = motion_file(tmp_path / "walk.npz", walker(4.0))
    arguments = ["foot_lock", "--quick", "--json", str(tmp_path / "f.json"), "--motion", str(path)]
    monkeypatch.setattr("sys.argv", arguments)
    foot_lock.main()
    figures = {row["name"]: row["median"] for row in json.loads((tmp_path / "f.json").read_text("utf-8"))["figures"]}
    assert figures["step"] > 0
    assert 0 < figures["5 mm: toes slide, locked"] < 0.25 * figures["5 mm: toes slide, free"]
    assert figures["10 mm: ankle error, locked"] < 20


def test_takes_have_toes_and_are_on_the_floor(tmp_path: Path) -> None:
    subject = walker(4.0)
    take = next(takes(motion_file(tmp_path / "walk.npz", subject.raised(2.0)), None, 1))
    assert take.joints == (*JOINTS, "left_foot_index", "right_foot_index")
    assert np.percentile(take.positions("l_ankle")[..., 1], 10) == pytest.approx(0.08, abs=0.02)


def test_contact_is_determined_from_clean_motion() -> None:
    subject = jumper(0.5)
    take = Take(NAMES, RATE_HZ, subject.xyz)
    flies = take.in_flight("left_foot_index", "right_foot_index")
    assert flies.sum() > 5
    assert not flies[subject.contact.any(1)].any()
    assert take.clearance("left_foot_index")[flies].min() > FLIGHT_M
    contact = take.in_contact("left_foot_index", "right_foot_index")
    assert contact[10:100].all()
    assert not contact[~subject.contact.any(1)][3:-3].any()


def test_sliding_is_horizontal_and_measured_in_contact_only() -> None:
    points = np.zeros((4, 2, 3))
    points[2:, 0] = [0.003, 5.0, 0.004]
    contact = np.array([[True, False]] * 4)
    assert sliding_m_s(points, contact, 100.0) == pytest.approx([0.0, 0.5, 0.0])
