"""The programming interface: arrays in, poses out."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

import pose_rig
from pose_rig.session.formats.poses_file import read_poses
from pose_rig.skeleton import J
from pose_rig.wire.bus import Sender
from pose_rig.wire.messages import Pose3D
from tests.fusion.fakes import Scene, film, ring, walk, write_keypoints
from tests.fusion.people.scenes import two_people
from tests.ports import free_endpoint

SECONDS = 8.0
VIEWS = 3


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film(walk(SECONDS), ring(VIEWS))


@pytest.fixture(scope="module")
def rig(scene: Scene) -> tuple[pose_rig.Rig, list[pose_rig.Pose | None]]:
    """A rig after all time steps of the scene, and its poses."""
    rig = pose_rig.Rig(VIEWS, size_px=scene.cameras.size_px, landmarks="rig17", height_m=1.75)
    steps = range(scene.score.shape[1])
    return rig, [rig.step(scene.t_ns(i) * 1e-9, scene.xy_px[:, i], scene.score[:, i]) for i in steps]


def test_everything_public_can_be_imported_and_nothing_else() -> None:
    assert all(getattr(pose_rig, name) is not None for name in pose_rig.__all__)
    assert set(pose_rig.__all__) <= set(dir(pose_rig))
    with pytest.raises(AttributeError, match="module 'pose_rig' has no attribute 'calibrate'"):
        _ = pose_rig.calibrate


def test_importing_the_package_imports_no_libraries() -> None:
    code = "import sys, pose_rig; print([m for m in ('numpy', 'zmq', 'cv2', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_rig_calibrates_its_cameras_while_a_person_moves(
    scene: Scene, rig: tuple[pose_rig.Rig, list[pose_rig.Pose | None]]
) -> None:
    made, poses = rig
    assert (poses[0] is not None and poses[0].mode, made.mode) == ("cold", "solved")
    cameras = made.cameras
    assert cameras.solved.all()
    assert cameras.K[:, 0, 0] == pytest.approx(scene.cameras.focal_px, rel=0.1)
    assert np.abs(cameras.R @ cameras.R.swapaxes(1, 2) - np.eye(3)).max() < 1e-9
    assert (cameras.R_sd_deg < 5).all()
    assert (cameras.t_sd_m < 0.5).all()
    assert (cameras.focal_sd_px < 200).all()
    last = poses[-1]
    assert last is not None
    assert last.xyz.shape == (J, 3)
    assert np.isfinite(last.covariance).all()
    assert np.array_equal(last["RightWrist"], last.xyz[16])
    local = np.einsum("vij,kj->vki", cameras.R, last.xyz) + cameras.t[:, None]
    pixels = np.einsum("vij,vkj->vki", cameras.K, local / local[..., 2:])[..., :2]
    assert np.median(np.linalg.norm(pixels - scene.xy_px[:, -1], axis=-1)) < 10
    assert np.median(np.linalg.norm(last.refined_px - scene.xy_px[:, -1], axis=-1)) < 10


def test_the_cameras_are_not_known_before(scene: Scene) -> None:
    rig = pose_rig.Rig(VIEWS, size_px=(1280, 720), landmarks="rig17")
    rig.step(0.0, scene.xy_px[:, 0])
    assert not rig.cameras.solved.any()
    assert np.isnan(rig.cameras.K).all()
    assert rig.cameras.dist.shape == (VIEWS, 5)


def test_poses_are_those_of_the_command_line_to_the_last_bit(tmp_path: Path, scene: Scene) -> None:
    write_keypoints(tmp_path / "k.npz", scene)
    code = (
        "import numpy as np, pose_rig\n"
        "d = np.load('k.npz')\n"
        "rig = pose_rig.Rig(len(d['xy']), size_px=d['size_px'], landmarks=str(d['landmarks']))\n"
        "steps = [rig.step(t * 1e-9, d['xy'][:, i], d['score'][:, i]) for i, t in enumerate(d['t_ns'][0])]\n"
        "np.save('xyz.npy', np.array([pose.xyz for pose in steps], np.float32))\n"
    )
    run = ("-m", "pose_rig", "run", "--cams", "k.npz", "--pace", "all", "--save", "p.npz", "--port", "0", "--headless")
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(pose_rig.__file__).parents[1])}
    for command in (("-c", code), run):
        subprocess.run([sys.executable, *command], cwd=tmp_path, env=one_thread, capture_output=True, check=True)
    saved = read_poses(tmp_path / "p.npz")
    assert "solved" in saved.mode
    assert np.array_equal(saved.xyz, np.load(tmp_path / "xyz.npy"))


def test_without_anybody_there_is_no_pose(scene: Scene) -> None:
    rig = pose_rig.Rig(VIEWS, size_px=(1280, 720), landmarks="rig17")
    assert rig.step(0.0, np.full((VIEWS, J, 2), np.nan)) is None
    assert rig.step(0.1, scene.xy_px[:, 0], np.zeros((VIEWS, J))) is None
    assert rig.step(0.2, scene.xy_px[:, 0]) is not None


def test_several_people_may_be_in_view(scene: Scene) -> None:
    rig = pose_rig.Rig(VIEWS, size_px=(1280, 720), landmarks="rig17")
    two = np.stack([scene.xy_px[:, 0], scene.xy_px[:, 0] + [300, 0]], 1)
    assert rig.step(0.0, two, np.ones((VIEWS, 2, J))) is not None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"cameras": 0}, "A rig has 1 to 16 cameras; got 0."),
        ({"people": 7}, "A rig follows 1 to 6 people; got 7."),
        ({"height_m": [1.8, 1.6]}, "height_m has 2 heights for 1 people."),
        ({"height_m": [1.8, 0.1], "people": 2}, "height_m must be between 0.4 and 2.6; got 0.1."),
        ({"height_m": 182.0}, "height_m must be between 0.4 and 2.6; got 182."),
        ({"size_px": (1280, 720, 3)}, "size_px must have shape \\(3, 2\\)"),
        ({"size_px": (0, 720)}, "size_px and focal_px must be positive"),
        ({"size_px": (np.nan, 720)}, "size_px and focal_px must be positive"),
        ({"focal_px": (1000.0, 1100.0)}, "focal_px must have shape \\(3,\\)"),
        ({"principal_point_px": (1290.0, 300.0)}, "principal_point_px must be in the image"),
        ({"dist": [0.1, 0.0, 0.0, 0.0, 0.0]}, "dist must be finite, and needs the focal_px"),
        ({"focal_px": 900.0, "dist": [0.1, 0.0]}, "dist must have shape \\(3, 5\\)"),
        ({"landmarks": "left,right"}, "The landmark set 'left,right' is unknown"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], text: str) -> None:
    given: dict[str, object] = {"cameras": VIEWS, "size_px": (1280, 720), **arguments}
    with pytest.raises(pose_rig.PoseRigError, match=text):
        pose_rig.Rig(**given)  # type: ignore[arg-type]


def test_wrong_arrays_are_named(scene: Scene) -> None:
    rig = pose_rig.Rig(VIEWS, size_px=(1280, 720), landmarks="rig17")
    with pytest.raises(pose_rig.PoseRigError, match=r"xy must have shape \(3, 17, 2\) or .*; got \(2, 17, 2\)"):
        rig.step(0.0, scene.xy_px[:2, 0])
    with pytest.raises(pose_rig.PoseRigError, match=r"score must have one number .*; got \(3, 16\)"):
        rig.step(0.0, scene.xy_px[:, 0], np.ones((VIEWS, J - 1)))
    with pytest.raises(pose_rig.PoseRigError, match=r"t_s must be a time in seconds; got 1e\+18. Divide nanoseconds"):
        rig.step(1e18, scene.xy_px[:, 0])
    rig.step(1.0, scene.xy_px[:, 0])
    with pytest.raises(pose_rig.PoseRigError, match=r"t_s must increase from step to step; got 0\.5 after 1"):
        rig.step(0.5, scene.xy_px[:, 1])


def test_a_subscriber_gets_poses_as_they_are_sent() -> None:
    message = Pose3D(
        index=0, t_ns=1_500_000_000, age_ns=1, person=0, joints="rig17", xyz=np.ones((J, 3), np.float32),
        score=np.ones(J, np.float32), residual_px=np.ones(J, np.float32), mode="solved", tracking=1, height_m=1.7,
        height_assumed=True, covariance_m2=np.ones((J, 3, 3), np.float32),
    )  # fmt: skip
    stop = threading.Event()
    with Sender("tcp://127.0.0.1:0", bind=True) as sender:

        def send() -> None:
            while not stop.wait(0.01):
                sender.send(message)
                sender.send(msgspec.structs.replace(message, person=1, height_m=1.6))

        thread = threading.Thread(target=send)
        thread.start()
        poses = pose_rig.subscribe(sender.endpoint, timeout_s=30)
        found = sorted((next(poses), next(poses)), key=lambda pose: pose.person)
        stop.set()
        thread.join()
    assert [(pose.person, pose.height_m) for pose in found] == [(0, 1.7), (1, 1.6)]
    pose = found[0]
    assert (pose.t_s, pose.mode, pose.tracking, pose["head"].tolist()) == (1.5, "solved", True, [1, 1, 1])
    assert pose.covariance.shape == (J, 3, 3)
    assert pose.refined_px.shape == (0, J, 2)


def test_a_silent_endpoint_ends_in_an_error() -> None:
    with pytest.raises(pose_rig.PoseRigError, match=r"No pose arrived from .* within 0.2 s. Is `pose-rig run` running"):
        next(pose_rig.subscribe(free_endpoint(), timeout_s=0.2))


def test_poses_of_a_rig_are_retargeted(rig: tuple[pose_rig.Rig, list[pose_rig.Pose | None]]) -> None:
    poses = [pose for pose in rig[1] if pose is not None]
    motion = pose_rig.retarget(poses)
    assert motion["LeftUpperLeg"].shape == (len(poses), 4)
    assert np.isfinite(motion.rotation).all()
    assert poses[0].height_m == 1.75
    with pytest.raises(pose_rig.PoseRigError, match="There are no poses to retarget"):
        pose_rig.retarget([])


def test_absurd_keypoints_give_no_pose_and_no_exception(scene: Scene) -> None:
    rig = pose_rig.Rig(VIEWS, size_px=(1280, 720), landmarks="rig17")
    rng = np.random.default_rng(0)
    for i in range(40):
        rig.step(0.03 * i, rng.normal(0, 1e9 if i % 2 else 1e-12, (VIEWS, J, 2)))
    assert rig.step(10.0, scene.xy_px[:, 0]) is not None


def test_a_rig_follows_several_people() -> None:
    scene = two_people(5.0)
    rig = pose_rig.Rig(4, size_px=scene.cameras.size_px, landmarks="rig17", height_m=[1.8, 1.65], people=2)
    assert list(rig.people) == []
    seen: set[int] = set()
    for i in range(len(scene.joints)):
        pose = rig.step(scene.t_ns(i) * 1e-9, scene.xy_px[:, i], scene.score[:, i])
        people = [one.person for one in rig.people]
        assert people == sorted(people)
        assert pose is None or pose is rig.people[0]
        seen |= set(people)
        assert all(one.t_s == pytest.approx(scene.t_ns(i) * 1e-9) for one in rig.people)
    assert seen == {0, 1}
    assert [one.height_m for one in rig.people] == [1.8, 1.65]
    assert np.linalg.norm(rig.people[0]["pelvis"] - rig.people[1]["pelvis"]) > 0.2
    with pytest.raises(pose_rig.PoseRigError, match="The poses are of several people"):
        pose_rig.retarget(rig.people)
    assert rig.step(99.0, np.full((4, J, 2), np.nan)) is None
    assert list(rig.people) == []


def test_heights_that_are_not_given_are_that_of_the_first() -> None:
    scene = two_people(0.1)
    rig = pose_rig.Rig(4, size_px=scene.cameras.size_px, landmarks="rig17", height_m=1.8, people=3)
    assert [rig._height_m(person) for person in (0, 1, 9)] == [1.8, 1.8, 1.8]
