"""Sessions as footage: a walk before three cameras, which the rig follows and solves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig
from pose_rig.errors import SessionError, SourceError
from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from pose_rig.lifting.engine import OrtEngine
from pose_rig.skeleton import INDEX, MIRROR, J, landmarks
from pose_rig.training.footage.recorded import RecordedFootage, _Selection, recorded_footage, recordings
from pose_rig.wire.messages import Keypoints2D
from tests.fusion.fakes import SIZE, film, new_estimator, relative_error_deg, ring, walk
from tests.session.recorded import rig_of, write
from tests.session.replaying import replay

VIEWS, FPS, SECONDS = 3, 15.0, 6.0
SCENE = film(walk(SECONDS, FPS), ring(VIEWS), fps=FPS)
TRUTH_PX = landmarks("rig17").to_joints(SCENE.xy_px, SCENE.score)[0].swapaxes(0, 1)  # (T,V,J,2)
ROUNDED_PX = 0.02  # keypoints that travel
FRAMES = len(SCENE.joints)
NAMES = tuple(f"cam{v}" for v in range(VIEWS))
Change = Callable[[int, int, Floats, Floats], tuple[Floats, Floats]]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return OrtEngine(provider="cpu")


def session(path: Path, change: Change = lambda view, i, xy, score: (xy, score), **config: object) -> Path:
    """Writes a session of the walk; ``change`` may rewrite the people (P,J,2), (P,J) of an image."""
    messages = []
    for i in range(FRAMES):
        for view in range(VIEWS):
            xy, score = change(view, i, SCENE.xy_px[view, i][None], SCENE.score[view, i][None])
            messages.append(
                Keypoints2D(
                    camera=NAMES[view], index=i, t_ns=SCENE.t_ns(i), size_px=SIZE, landmarks="rig17",
                    xy=xy.astype(np.float32), score=score.astype(np.float32),
                )
            )  # fmt: skip
    return write(path, messages, rig_of(NAMES, pace="all", **config), "import")


@pytest.fixture(scope="module")
def whole(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecordedFootage, list[float]]:
    """A session, its footage, and the reported progress."""
    path, progress = session(tmp_path_factory.mktemp("whole") / "walk.mcap"), list[float]()
    return path, recorded_footage(path, engine, progress.append), progress


def test_footage_has_the_keypoints_and_the_solved_rig(
    whole: tuple[Path, RecordedFootage, list[float]],
) -> None:
    _, made, progress = whole
    footage = made.footage
    assert (footage.name, footage.subject, footage.moving, footage.truth) == ("walk", "walk", False, None)
    assert footage.xy_px.shape == (FRAMES, VIEWS, J, 2)
    assert np.abs(footage.xy_px - TRUTH_PX).max() < 1e-3
    np.testing.assert_allclose(footage.score, 0.9, atol=0.01)
    assert footage.size_px.tolist() == [list(SIZE)] * VIEWS
    np.testing.assert_allclose(footage.focal_px, SCENE.cameras.focal_px, rtol=0.05)
    assert footage.camera_from_rig is not None
    assert relative_error_deg(footage.camera_from_rig.astype(float), SCENE.cameras.rotation).max() < 2
    assert made.cameras is not None
    assert made.cameras.known.all()
    xy_px, _ = made.cameras.project(made.poses.astype(float))  # the poses lie where they were seen
    assert np.median(np.linalg.norm(xy_px - TRUTH_PX, axis=-1)) < 6
    assert progress == sorted(progress)
    assert 0 < progress[0] < 0.05
    assert progress[-1] == 1.0


def test_poses_are_those_of_the_product_to_the_last_bit(
    whole: tuple[Path, RecordedFootage, list[float]], engine: Engine, tmp_path: Path
) -> None:
    path, made, _ = whole
    replay(engine, path, tmp_path / "poses.npz", exact=False, passes=2)
    with np.load(tmp_path / "poses.npz") as poses:
        assert poses["xyz_raw"][:, :J].tobytes() == made.poses.tobytes()
        assert made.footage.camera_from_rig is not None
        np.testing.assert_allclose(poses["R"], made.footage.camera_from_rig, atol=1e-6)


def test_keypoint_files_are_read_too(
    whole: tuple[Path, RecordedFootage, list[float]], engine: Engine, tmp_path: Path
) -> None:
    t_ns = np.tile([SCENE.t_ns(i) for i in range(FRAMES)], (VIEWS, 1))
    np.savez(
        tmp_path / "kp.npz", xy=SCENE.xy_px, score=SCENE.score, t_ns=t_ns, landmarks=np.array("rig17"),
        size_px=np.tile(np.array(SIZE), (VIEWS, 1)),
    )  # fmt: skip
    progress: list[float] = []
    first, second = recordings([tmp_path / "kp.npz", whole[0]], engine, progress.append)
    assert first.footage.name == "kp"
    assert np.abs(first.footage.xy_px - second.footage.xy_px).max() < ROUNDED_PX
    assert np.abs(first.poses - second.poses).max() < 0.01
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_association_and_sides_are_those_of_the_fusion(engine: Engine, tmp_path: Path) -> None:
    order = list(MIRROR)

    def change(view: int, i: int, xy: Floats, score: Floats) -> tuple[Floats, Floats]:
        if view == 1 and 40 <= i < 60:  # a back taken for a front
            return xy[:, order], score[:, order]
        if view == 2 and i > 20:  # another person, first in the list
            return np.concatenate([0.7 * xy + [300.0, 40.0], xy]), np.repeat(score, 2, 0)
        if view == 0 and i % 10 == 0:  # no person
            return xy[:0], score[:0]
        return xy, score

    footage = recorded_footage(session(tmp_path / "odd.mcap", change), engine).footage
    off = np.linalg.norm(footage.xy_px - TRUTH_PX, axis=-1)
    seen = footage.score > 0
    assert np.median(off[40:60, 1][seen[40:60, 1]]) < 1
    assert (off[40:60, 1, INDEX["l_hip"]] < 1).mean() > 0.9
    assert (off[21:, 2].max(-1) < 1).mean() > 0.9
    assert seen[1:10, 0].all()


def test_the_score_is_zero_where_the_person_is_not_detected(engine: Engine, tmp_path: Path) -> None:
    def change(view: int, i: int, xy: Floats, score: Floats) -> tuple[Floats, Floats]:
        gone = view == 2 and i >= 45
        return (xy[:0], score[:0]) if gone else (xy, score)

    footage = recorded_footage(session(tmp_path / "gone.mcap", change), engine).footage
    assert (footage.score[:45] > 0).all()
    assert not footage.score[45:, 2].any()
    assert (footage.score[45:, :2] > 0).all()


def test_every_second_frame_of_fast_cameras_is_kept(engine: Engine, tmp_path: Path) -> None:
    scene = film(walk(2.0, 60.0), ring(2), fps=60.0)
    t_ns = np.tile([scene.t_ns(i) for i in range(120)], (2, 1))
    np.savez(
        tmp_path / "fast.npz", xy=scene.xy_px, score=scene.score, t_ns=t_ns, landmarks=np.array("rig17"),
        size_px=np.tile(np.array(SIZE), (2, 1)), focal_px=np.array([1100.0, np.nan]),
    )  # fmt: skip
    made = recorded_footage(tmp_path / "fast.npz", engine)
    assert made.footage.frames == len(made.poses) == 60
    truth = landmarks("rig17").to_joints(scene.xy_px, scene.score)[0].swapaxes(0, 1)
    assert np.abs(made.footage.xy_px - truth[::2]).max() < ROUNDED_PX
    assert made.footage.focal_px[0] == pytest.approx(1100.0, rel=0.05)  # which the file says


def test_moving_cameras_share_nothing_between_frames(engine: Engine, tmp_path: Path) -> None:
    cameras = tuple(CameraConfig(source="sim", name=name, moving=True) for name in NAMES)
    path = session(tmp_path / "carried.mcap", camera=cameras)
    made = recorded_footage(path, engine)
    assert made.footage.moving
    assert made.footage.camera_from_rig is None
    assert made.cameras is None
    assert np.abs(made.footage.xy_px - TRUTH_PX).max() < 1e-3
    assert made.footage.focal_px.tolist() == pytest.approx([0.9 * 1280] * VIEWS)


def test_a_moved_camera_counts_with_its_longest_pose(engine: Engine, tmp_path: Path) -> None:
    def change(view: int, i: int, xy: Floats, score: Floats) -> tuple[Floats, Floats]:
        return (np.add(xy, [250.0, 120.0]), score) if view == 1 and i >= 50 else (xy, score)

    made = recorded_footage(session(tmp_path / "bumped.mcap", change), engine)
    seen = made.footage.score[:, 1, 0] > 0
    assert (made.footage.score[:, [0, 2]] > 0).mean() > 0.95
    assert min(seen[:50].sum(), seen[50:].sum()) <= 2 < 15 <= seen.sum()  # one place, and nothing from the other
    assert made.cameras is not None
    assert made.footage.camera_from_rig is not None
    assert made.cameras.known.all()
    np.testing.assert_allclose(made.cameras.rotation, made.footage.camera_from_rig, atol=0.05)
    xy_px, _ = made.cameras.project(made.poses.astype(float))  # where the rig now has it, it sees what was seen
    assert np.median(np.linalg.norm(xy_px - made.footage.xy_px, axis=-1)[seen, 1]) < 10


def test_errors_of_sessions_without_keypoints(engine: Engine, tmp_path: Path) -> None:
    empty_take = session(tmp_path / "nobody.mcap", lambda view, i, xy, score: (xy[:0], score[:0]))
    with pytest.raises(SessionError, match=r"^nobody has a person in only 0 frames\. Record a minute of the person"):
        recorded_footage(empty_take, engine)
    empty = write(tmp_path / "empty.mcap", [], rig_of(NAMES), "import")
    with pytest.raises(
        SessionError, match=r"empty\.mcap has no keypoints\. Record a session with cameras, or name another one\."
    ):
        recorded_footage(empty, engine)
    with pytest.raises(SessionError, match=r"There is no session .*missing\.mcap\."):
        recorded_footage(tmp_path / "missing.mcap", engine)
    with pytest.raises(SourceError, match=r"missing\.npz"):
        recorded_footage(tmp_path / "missing.npz", engine)


def test_frames_of_every_person_follow_each_other_and_glimpses_are_left_out(engine: Engine) -> None:
    made, selection = new_estimator(engine, VIEWS), _Selection()
    people = {0: range(FRAMES), 1: range(20, 50), 5: range(30, 36)}  # when they are there, by identity
    for i in range(FRAMES):
        there = [person for person, steps in people.items() if i in steps]
        samples = [sample_of(SCENE.xy_px[view, i], len(there)) for view in range(VIEWS)]
        pose = replace(made.step(SCENE.t_ns(i), samples), t_ns=SCENE.t_ns(i))
        rows = [np.array([row, row, -1]) for row in range(len(there))]
        poses = [replace(pose, person=one, person_index=row) for one, row in zip(there, rows, strict=True)]
        selection.add(poses, samples, made)
    assert selection.keep_people(12) == FRAMES
    recorded = selection.footage("walk", made)
    assert np.bincount(recorded.person).tolist() == [FRAMES, 30]
    assert (np.diff(recorded.person) >= 0).all()
    for person in (0, 1):
        rows = recorded.person == person
        assert recorded.t_ns[rows].tolist() == [SCENE.t_ns(i) for i in people[person]]
        wanted = TRUTH_PX[people[person]][:, :2] + [400.0 * person, 0.0]
        np.testing.assert_allclose(recorded.footage.xy_px[rows][:, :2], wanted, atol=0.01)
        assert not recorded.footage.score[rows][:, 2].any()  # which of its detections it is is not known
    assert recorded.footage.frames == len(recorded.poses) == FRAMES + 30


def sample_of(xy_px: Floats, people: int) -> Sample:
    """Returns people (P,J,2) side by side."""
    aside = np.arange(people)[:, None, None] * np.array([400.0, 0.0])
    return Sample(0, xy_px + aside, np.full((people, J), 0.9))
