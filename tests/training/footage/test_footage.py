import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.skeleton import J
from pose_rig.training.footage.footage import Footage, GroundTruth

T, V = 5, 3


def footage(**changes: object) -> Footage:
    """Every number is that of its frame."""
    count = np.arange(T, dtype=np.float32)[:, None, None]
    values: dict[str, object] = {
        "name": "take",
        "subject": "somebody",
        "xy_px": np.broadcast_to(count[..., None], (T, V, J, 2)),
        "score": np.broadcast_to(count / T, (T, V, J)),
        "size_px": np.full((V, 2), 640, np.float32),
        "focal_px": np.full(V, 700, np.float32),
        **changes,
    }
    return Footage(**values)  # type: ignore[arg-type]


def test_counts() -> None:
    assert (footage().frames, footage().views) == (T, V)
    assert footage().at(slice(0, 0)).frames == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"score": np.ones((T, V, 16))},
            r"take: score has the shape \(5, 3, 16\)\. These 2D poses require \(5, 3, 17\)",
        ),
        ({"xy_px": np.ones((T, V, J, 3))}, r"take: xy_px has the shape .*\. These 2D poses require \(5, 3, 17, 2\)"),
        ({"size_px": np.ones(2)}, r"take: size_px has the shape \(2,\)\. These 2D poses require \(3, 2\)"),
        ({"focal_px": np.ones(4)}, r"take: focal_px has the shape \(4,\)\. These 2D poses require \(3,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        footage(**changes)


@pytest.mark.parametrize("index", [np.array([3, 1]), np.array([False, True, False, True, False]), slice(1, None, 2)])
def test_a_selection_of_frames_keeps_ground_truth_and_rig(index: np.ndarray | slice) -> None:
    count = np.arange(T, dtype=np.float32)[:, None, None, None]
    truth = GroundTruth(np.broadcast_to(count, (T, V, J, 3)), np.broadcast_to(count, (T, V, J, 2)))
    whole = footage(truth=truth, moving=True, camera_from_rig=np.tile(np.eye(3, dtype=np.float32), (V, 1, 1)))
    some = whole.at(index)
    expected = np.arange(T)[index]
    assert some.truth is not None
    for values in (some.xy_px, some.score * T, some.truth.joints, some.truth.xy_px):
        assert np.allclose(values.reshape(len(expected), -1), expected[:, None])
    assert (some.name, some.subject, some.moving, some.views) == ("take", "somebody", True, V)
    assert some.camera_from_rig is whole.camera_from_rig


def test_no_truth_stays_none() -> None:
    assert footage().at(slice(2)).truth is None
