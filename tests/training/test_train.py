"""Motion files, batches, takes, and a training run of a second."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.skeleton import J
from pose_rig.training.motion import Clip, PosePool, load_clips
from pose_rig.training.samples import Sampler
from pose_rig.training.takes import simulate
from tests.fusion.fakes import FPS, walk

CLIPS = 8


def write_motion(path: Path, **changes: Any) -> Path:
    """Eight clips of a second each, cut from a walk."""
    joints = walk(CLIPS)
    content: dict[str, Any] = {
        "joints17_rel": joints - joints[:, :1],
        "root": joints[:, 0],
        "clip_start": 30 * np.arange(CLIPS),
        "clip_len": np.full(CLIPS, 30),
        "clip_label": np.array([f"walking_{i}" for i in range(CLIPS - 2)] + ["running_a", "running_b"]),
        "fps": FPS,
        **changes,
    }
    np.savez(path, **{key: np.asarray(value) for key, value in content.items() if value is not None})  # type: ignore[arg-type]
    return path


def clips(tmp_path: Path) -> list[Clip]:
    return load_clips([write_motion(tmp_path / "motion.npz")])


def test_clips_come_back_as_they_were_written(tmp_path: Path) -> None:
    found = clips(tmp_path)
    assert [clip.label for clip in found][-2:] == ["running_a", "running_b"]
    assert {(clip.fps, clip.joints.shape, clip.root.shape) for clip in found} == {(30.0, (30, J, 3), (30, 3))}
    assert np.allclose(found[3].joints[:, 0], 0)
    assert np.allclose(found[3].root, walk(CLIPS)[90:120, 0], atol=1e-6)


def test_without_a_root_people_stay_in_place(tmp_path: Path) -> None:
    assert (load_clips([write_motion(tmp_path / "m.npz", root=None)])[0].root == 0).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"clip_len": None}, r"m\.npz is not a motion file: .*clip_len"),
        (
            {"joints17_rel": np.zeros((240, 16, 3))},
            r"m\.npz has joints of shape \(240, 16, 3\)\. Expected \(N,17,3\)\.",
        ),
        ({"clip_len": np.full(3, 30)}, r"m\.npz is not a motion file: .*The format is in pose_rig/training/motion\.py"),
    ],
)
def test_a_wrong_motion_file_is_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        load_clips([write_motion(tmp_path / "m.npz", **changes)])


def test_a_missing_motion_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.npz is not a motion file: .*No such file"):
        load_clips([tmp_path / "gone.npz"])


def test_rare_movements_are_drawn_more_often_than_their_share(tmp_path: Path) -> None:
    found = clips(tmp_path)
    for clip in found[-2:]:
        clip.joints[:] = 7.0  # to be told from the rest
    drawn = PosePool(found).draw(4000, np.random.default_rng(0))
    assert drawn.shape == (4000, J, 3)
    assert 0.3 < (drawn == 7.0).all((1, 2)).mean() < 0.45  # two of eight clips: √2 / (√2 + √6)


def test_batches_are_consistent_and_repeatable(tmp_path: Path) -> None:
    found = clips(tmp_path)
    batch = Sampler(found, seed=1).draw(300)
    shapes = {name: getattr(batch, name).shape for name in batch.__dataclass_fields__}
    assert shapes == {
        "flat": (300, J, 2), "confidence": (300, J), "shape": (300, J, 3), "canonical": (300, J, 3),
        "rotation": (300, 3, 3),
    }  # fmt: skip
    for name in shapes:
        value = getattr(batch, name)
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert np.array_equal(value, getattr(Sampler(found, seed=1).draw(300), name))
    assert np.allclose(np.linalg.det(batch.rotation), 1, atol=1e-4)
    assert np.allclose(batch.canonical @ batch.rotation.swapaxes(1, 2), batch.shape, atol=1e-5)
    assert np.allclose(batch.flat[batch.confidence == 0], 0)
    left = batch.canonical[:, 4] - batch.canonical[:, 1]
    assert (left[:, 0] > 0).mean() > 0.85  # they face +z
    assert np.median(np.linalg.norm(batch.shape[..., :2] - batch.flat, axis=-1)) < 0.06
    assert not np.array_equal(batch.flat, Sampler(found, seed=2).draw(300).flat)


def test_a_simulated_take_is_one_person_before_still_cameras(tmp_path: Path) -> None:
    clip = clips(tmp_path)[0]
    take = simulate(clip, 3, 1.0, np.random.default_rng(0))
    assert take.xy_px.shape == (3, 30, J, 2)
    assert take.score.shape == (3, 30, J)
    assert take.joints.shape == (30, J, 3)
    assert take.fps == 30
    bones = np.linalg.norm(take.joints[:, 3] - take.joints[:, 2], axis=-1)
    assert np.allclose(bones, bones[0])
    for v in range(3):
        camera = [value[v] for value in (take.cameras.rotation, take.cameras.position)]
        local = (take.joints - camera[1]) @ camera[0].T
        xy = local[..., :2] / local[..., 2:] * take.cameras.focal_px[v] + take.cameras.size_px[v] / 2
        size = np.ptp(xy, axis=1).max(-1)
        assert np.median(np.linalg.norm(take.xy_px[v] - xy, axis=-1) / size[:, None]) < 0.05
    again = simulate(clip, 3, 1.0, np.random.default_rng(0))
    assert np.array_equal(take.xy_px, again.xy_px)


def test_a_take_is_no_longer_than_its_clip_and_thinned_to_the_rate(tmp_path: Path) -> None:
    clip = clips(tmp_path)[0]
    assert simulate(clip, 2, 99.0, np.random.default_rng(0)).joints.shape[0] == 30
    assert simulate(clip, 2, 99.0, np.random.default_rng(0), fps=15.0).joints.shape[0] == 15


def train(tmp_path: Path, *extra: str) -> "subprocess.CompletedProcess[str]":
    motion = write_motion(tmp_path / "motion.npz")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "pose_rig.training.train",
        str(motion),
        "--out",
        str(tmp_path / "run"),
    ]
    return subprocess.run(
        [*command, "--batch", "64", "--width", "32", "--device", "cpu", *extra], capture_output=True, text=True
    )


def test_a_short_run_ends_logs_and_leaves_weights_that_load(tmp_path: Path) -> None:
    done = train(tmp_path, "--steps", "20", "--seed", "3")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["done"] == 1
    assert lines[-1]["step"] in (20, 21)
    assert {"pmpjpe", "n_mpjpe", "angle_deg_median", "total"} <= set(lines[-1])
    assert "pmpjpe=" in done.stderr
    model, settings = load(tmp_path / "run" / "lifter.pt")
    assert model.config.width == 32
    assert settings["seed"] == "3"
    assert int(settings["step"]) == lines[-1]["step"]
