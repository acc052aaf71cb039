"""The vote of the paper, on a walking person seen without perspective and without noise."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmarks.accuracy.paper_vote import CELL_SIZE, MIN_CONFIDENCE, vote
from pose_rig.arrays import Floats
from pose_rig.capture.simulated import pose
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, J

WRIST = INDEX["l_wrist"]
RING = np.array([[0.1, 0.0, 0.0], [0.1, 1.3, 0.0], [-0.2, 2.6, 0.1], [0.3, -1.4, 0.0]])  # rad


@dataclass(frozen=True)
class Scene:
    """What `vote` takes, all of it true."""

    flat: Floats
    confidence: Floats
    lifted: Floats
    rotation: Floats

    def refined(self) -> Floats:
        return vote(self.flat, self.confidence, self.lifted, self.rotation)

    def wrist(self, view: int, moved: tuple[float, float], confidence: float) -> "Scene":
        """The scene with one wrist detected elsewhere, which its view's lift follows."""
        flat, lifted, sure = self.flat.copy(), self.lifted.copy(), self.confidence.copy()
        flat[view, WRIST] += moved
        lifted[view, WRIST, :2] += moved
        sure[view, WRIST] = confidence
        return replace(self, flat=flat, lifted=lifted, confidence=sure)


def scene(turns: Floats, confidence: float = 0.95, time_s: float = 1.0) -> Scene:
    """Views turned by (V,3) rotation vectors, each in units of its own 2D norm."""
    upright = np.diag([1.0, -1.0, -1.0])  # seen from the front, y down
    rotation = rotation_from_vector(turns) @ upright
    body = pose(time_s)
    local = (body - body[:1]) @ rotation.swapaxes(1, 2)
    local /= np.linalg.norm(local[..., :2], axis=(1, 2))[:, None, None]
    return Scene(local[..., :2].copy(), np.full((len(turns), J), confidence), local, rotation)


def off_the_line(refined: Floats, given: Scene) -> float:
    """Returns how far a wrist of view 0 lies from the line on which view 1 sees it."""
    relative = given.rotation[0] @ given.rotation[1].T
    along = relative[:2, 2] / np.linalg.norm(relative[:2, 2])
    gap = refined - given.flat[0, WRIST]
    return abs(float(gap[0] * along[1] - gap[1] * along[0]))


@pytest.mark.parametrize("views", [1, 2, 3, 4])
def test_without_noise_every_joint_stays_in_its_cell(views: int) -> None:
    errors = []
    for time_s in (0.3, 0.9, 1.7, 2.4):
        given = scene(RING[:views], confidence=0.5, time_s=time_s)
        errors.append((given.refined() - given.flat) / CELL_SIZE)
    error = np.stack(errors)
    assert np.abs(error).max() < 0.75  # half a cell, and what lines at an angle add
    assert np.abs(error).mean() < 0.3
    assert np.abs(error.mean((0, 1, 2))).max() < 0.1  # no bias


def test_an_outlier_with_low_confidence_is_corrected() -> None:
    given = scene(RING)
    wrong = given.wrist(0, (0.2, -0.1), confidence=0.4)
    assert np.abs(wrong.refined()[0, WRIST] - given.flat[0, WRIST]).max() < CELL_SIZE


def test_joints_with_high_confidence_are_unchanged() -> None:
    wrong = scene(RING).wrist(0, (0.2, -0.1), confidence=MIN_CONFIDENCE)
    assert np.array_equal(wrong.refined(), wrong.flat)


@pytest.mark.parametrize(
    "turn",
    [(0.0, 1.2, 0.0), (1.2, 0.0, 0.0), (1.2, 0.004, 0.0), (0.7, 0.7, 0.0)],
    ids=["level", "vertical", "nearly vertical", "aslant"],
)
def test_two_views_vote_for_the_epipolar_line(turn: tuple[float, float, float]) -> None:
    given = scene(np.array([[0.0, 0.0, 0.0], turn]), confidence=0.5)
    across = given.rotation[0, :2] @ given.rotation[1, :2].T  # moves the wrist off the line whatever its direction
    moved = 0.15 * np.linalg.svd(across)[0][:, 0]
    wrong = given.wrist(0, (float(moved[0]), float(moved[1])), confidence=0.8)
    # the blob of the wrong detection is higher than that of the other view: only its line outvotes it
    assert off_the_line(wrong.flat[0, WRIST], given) > 8 * CELL_SIZE
    assert off_the_line(wrong.refined()[0, WRIST], given) < CELL_SIZE


def test_views_with_the_same_direction_vote_for_a_point() -> None:
    given = scene(RING[[0, 0]], confidence=0.5)
    wrong = given.wrist(0, (0.2, 0.0), confidence=0.3)
    assert np.abs(wrong.refined()[0, WRIST] - given.flat[0, WRIST]).max() < CELL_SIZE


def test_an_error_of_the_pelvis_does_not_matter() -> None:
    given = scene(RING)
    shifted = replace(given, flat=given.flat + np.array([[0.06, 0.03], [0, 0], [0, 0], [0, 0]])[:, None])
    wrong = shifted.wrist(0, (0.2, -0.1), confidence=0.2)
    assert np.abs(wrong.refined()[0, WRIST] - shifted.flat[0, WRIST]).max() < CELL_SIZE


def test_an_absent_view_has_no_vote() -> None:
    given = scene(RING).wrist(0, (0.2, -0.1), confidence=0.4)
    confidence = given.confidence.copy()
    confidence[3] = 0.0
    absent = replace(given, flat=given.flat * (confidence > 0)[..., None], confidence=confidence)
    absent.lifted[3] = np.random.default_rng(0).normal(0, 0.2, (J, 3))
    three = Scene(given.flat[:3], given.confidence[:3], given.lifted[:3], given.rotation[:3])
    assert np.array_equal(absent.refined()[:3], three.refined())
    assert np.array_equal(absent.refined()[3], absent.flat[3])


def test_no_detections_remain_no_detections() -> None:
    given = replace(scene(RING), flat=np.zeros((4, J, 2)), confidence=np.zeros((4, J)))
    assert np.array_equal(given.refined(), given.flat)
