"""What is known of a rig before anything was seen."""

import msgspec
import numpy as np
import pytest

from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, Config, SolvedCamera
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.setup import earlier_solution, setup_of

QUARTER = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
STRAIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FRONT = SolvedCamera(
    size_px=(1280, 720), rotation=STRAIGHT, translation_m=(0.1, 1.2, 4.0), focal_px=1000.0, k1=-0.01,
    rotation_sd_deg=1.5, translation_sd_m=0.03, focal_sd_px=20.0,
)  # fmt: skip
SIDE = SolvedCamera(size_px=(640, 480), rotation=QUARTER, translation_m=(0.2, 1.1, 3.0), focal_px=500.0)


def camera(name: str, solved: SolvedCamera | None = None, *, moving: bool = False) -> CameraConfig:
    return CameraConfig(source="0", name=name, solved=solved, moving=moving)


def test_a_new_rig_has_names_and_an_assumed_body_height() -> None:
    setup = setup_of(Config(camera=(camera("left"), camera("right"))), None)
    assert list(setup.names) == ["left", "right"]
    assert (setup.height_m, setup.height_given) == (1.7, False)
    assert setup.given.tolist() == [False, False]
    assert setup.moving.tolist() == [False, False]
    assert setup.earlier is None
    assert setup.fixed is None


def test_options_of_the_user() -> None:
    first = msgspec.structs.replace(camera("a"), focal_px=900.0)
    setup = setup_of(Config(camera=(first, camera("b", moving=True)), height_m=1.9), None)
    assert setup.given.tolist() == [True, False]
    assert setup.moving.tolist() == [False, True]
    assert (setup.height_m, setup.height_given) == (1.9, True)


def test_a_solved_rig_is_remembered_as_it_was() -> None:
    rig = earlier_solution((camera("a", FRONT), camera("b"), camera("c", SIDE)), 1.8)
    assert rig is not None
    cameras = rig.cameras
    assert cameras.known.tolist() == [True, False, True]
    assert np.array_equal(cameras.rotation[[0, 2]], [STRAIGHT, QUARTER])
    assert cameras.translation[[0, 2]].tolist() == [[0.1, 1.2, 4.0], [0.2, 1.1, 3.0]]
    assert cameras.focal_px[[0, 2]].tolist() == [1000.0, 500.0]
    assert cameras.intrinsics.dist[[0, 2], 0].tolist() == [-0.01, 0.0]
    assert cameras.size_px[[0, 2]].tolist() == [[1280.0, 720.0], [640.0, 480.0]]
    assert np.degrees(cameras.rotation_sd[0]) == pytest.approx(1.5)
    assert cameras.translation_sd[0] == 0.03
    assert cameras.focal_sd[0] == pytest.approx(0.02)
    assert np.allclose(rig.bone_length_m, LENGTH_PER_HEIGHT * 1.8)
    assert all(np.isfinite(getattr(cameras, name)).all() for name in ("rotation", "translation", "focal_px", "size_px"))


@pytest.mark.parametrize(
    "cameras",
    [
        (),
        (camera("a"), camera("b")),
        (camera("a", FRONT), camera("b")),
        (camera("a", FRONT), camera("b", SIDE, moving=True)),
    ],
)
def test_fewer_than_two_static_cameras_are_no_remembered_rig(cameras: tuple[CameraConfig, ...]) -> None:
    assert earlier_solution(cameras, 1.7) is None


def test_a_moving_camera_is_not_remembered() -> None:
    rig = earlier_solution((camera("a", FRONT), camera("b", SIDE), camera("c", SIDE, moving=True)), 1.7)
    assert rig is not None
    assert rig.cameras.known.tolist() == [True, True, False]


def test_a_fixed_rig_is_part_of_the_setup() -> None:
    rig = earlier_solution((camera("a", FRONT), camera("b", SIDE)), 1.7)
    assert setup_of(Config(camera=(camera("a"), camera("b"))), rig).fixed is rig
    assert setup_of(Config(camera=(camera("a", FRONT), camera("b", SIDE))), None).earlier is not None


def test_computations_run_in_the_foreground_by_default() -> None:
    assert BackgroundCompute() == BackgroundCompute(executor=None, solve=self_solve)


def test_intrinsics_are_as_given_else_usual_ones() -> None:
    lens = (-0.2, 0.05, 0.001)
    cameras = CameraProperties(
        (
            CameraConfig(source="0", name="a"),
            CameraConfig(source="1", name="b", focal_px=800.0, principal_point_px=(650.0, 340.0), distortion=lens),
            CameraConfig(source="2", name="c", focal_px=500.0, distortion=(0.03,), fisheye=True),
        )
    )
    for view in range(3):
        assert cameras.set(view, (1280, 720), "rig17")
    found = cameras.intrinsics
    assert found.focal_px.tolist() == [FOCAL_PER_LARGER_SIDE * 1280, 800.0, 500.0]
    assert found.principal_point_px.tolist() == [[640.0, 360.0], [650.0, 340.0], [640.0, 360.0]]
    assert found.dist.tolist() == [[0.0] * 5, [*lens, 0.0, 0.0], [0.03, 0.0, 0.0, 0.0, 0.0]]
    assert found.fisheye.tolist() == [False, False, True]
    seen_px = np.array([[[1000.0, 100.0]]] * 3)
    np.testing.assert_allclose(found.pixels(found.ideal_xy(seen_px)), seen_px, atol=1e-2)
