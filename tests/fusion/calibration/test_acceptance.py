from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.acceptance import (
    LENGTH_RANGE,
    MAX_FOCAL_SD,
    MAX_ROTATION_SD_DEG,
    MIN_CHIRALITY,
    PARALLEL_DEG,
    parallel_cameras,
    rejection_reason,
)
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import MAX_ERROR_SD
from pose_rig.geometry import rotation_from_vector
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, calibration, stroll

UP = np.array([0.0, 1.0, 0.0])
NAMES = ("front", "left", "right", "back")


def good(cameras: Calibration) -> RigSolution:
    return RigSolution(cameras, LENGTH_M, stroll(3.0, 5.0), 1.2, 0.9, np.inf)


def rejection(found: RigSolution) -> str:
    return rejection_reason(found, NAMES, UP, HEIGHT_M)


def uncertain(cameras: Calibration, views: list[int], sd_deg: float = MAX_ROTATION_SD_DEG + 1) -> Calibration:
    sd = cameras.rotation_sd.copy()
    sd[views] = np.radians(sd_deg)
    return replace(cameras, rotation_sd=sd)


def parallel(cameras: Calibration, one: int, other: int, deg: float) -> Calibration:
    rotation = cameras.rotation.copy()
    rotation[other] = rotation_from_vector(np.radians([0.0, deg, 0.0])) @ rotation[one]
    return replace(cameras, rotation=rotation)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_a_good_rig_is_accepted(views: int) -> None:
    assert rejection(good(calibration(views))) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"validation_error": MAX_ERROR_SD + 0.54},
            "the reprojection error is too large (2.5 × the detection noise): keep moving",
        ),
        ({"validation_error": np.inf}, "the reprojection error is too large (inf × the detection noise): keep moving"),
        (
            {"chirality": MIN_CHIRALITY - 0.01},
            "the pose cannot be distinguished from its mirror image yet: bend your arms and knees",
        ),
        ({"chirality": -0.9}, "the pose cannot be distinguished from its mirror image yet: bend your arms and knees"),
        (
            {"bone_length_m": LENGTH_M * np.where(np.arange(9) == 3, LENGTH_RANGE[1] + 0.1, 1)},
            "the estimated bone lengths are outside the human range: keep moving",
        ),
        (
            {"bone_length_m": LENGTH_M * (LENGTH_RANGE[0] - 0.05)},
            "the estimated bone lengths are outside the human range: keep moving",
        ),
        ({"poses": stroll(3.0, 5.0) * [1, -1, -1]}, "the estimated person is upside down: stand upright for a moment"),
    ],
)
def test_reasons_for_rejection(change: dict[str, object], reason: str) -> None:
    assert rejection(replace(good(calibration(3)), **change)) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize("misfit", [MAX_ERROR_SD, 0.3])
def test_a_small_validation_error_is_no_reason(misfit: float) -> None:
    assert rejection(replace(good(calibration(3)), validation_error=misfit)) == ""


def test_a_few_frames_upside_down_have_no_effect() -> None:
    bodies = stroll(3.0, 5.0)
    bodies[::3] *= [1, -1, -1]
    assert rejection(replace(good(calibration(3)), poses=bodies)) == ""


def test_uncertain_cameras_are_named() -> None:
    cameras = uncertain(calibration(3), [1])
    assert rejection(good(cameras)) == "the calibration of left is still uncertain: walk about and turn around once"
    assert (
        rejection(good(uncertain(cameras, [2])))
        == "the calibration of left, right is still uncertain: walk about and turn around once"
    )
    focal_sd = cameras.focal_sd.copy()
    focal_sd[0] = MAX_FOCAL_SD + 0.01
    assert rejection(good(replace(calibration(3), focal_sd=focal_sd))) == (
        "the calibration of front is still uncertain: walk about and turn around once"
    )
    assert rejection(good(uncertain(calibration(3), [1], MAX_ROTATION_SD_DEG - 0.1))) == ""


def test_unknown_cameras_are_ignored() -> None:
    cameras = uncertain(calibration(3), [1])
    cameras.known[1] = False
    assert rejection(good(cameras)) == ""


def test_parallel_cameras_of_three_should_be_moved() -> None:
    cameras = uncertain(parallel(calibration(3), 0, 2, PARALLEL_DEG - 5), [2])
    assert (
        rejection(good(cameras)) == "the calibration of right is still uncertain: "
        "front and right point in the same direction: move one of them"
    )


def test_parallel_cameras_of_four_have_no_effect() -> None:
    cameras = uncertain(parallel(calibration(4), 0, 2, PARALLEL_DEG - 5), [2])
    assert rejection(good(cameras)) == "the calibration of right is still uncertain: walk about and turn around once"


def test_parallel_cameras_are_listed() -> None:
    cameras = calibration(4)
    assert parallel_cameras(cameras, NAMES) == ""
    assert parallel_cameras(parallel(cameras, 1, 3, PARALLEL_DEG + 1), NAMES) == ""
    both = parallel(parallel(cameras, 1, 3, 5), 1, 2, -5)
    assert parallel_cameras(both, NAMES) == "left and right, left and back, right and back point in the same direction"
    both.known[3] = False
    assert parallel_cameras(both, NAMES) == "left and right point in the same direction"
