import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, JOINTS, J
from pose_rig.training.datasets import layout
from pose_rig.training.datasets.layout import joints_of, metres, scores_of, visible_keypoints
from pose_rig.training.datasets.protocol import HUMAN36M, MPI_INF_3DHP, PROTOCOLS, SKIPOSE
from tests.fusion.fakes import standing
from tests.training.datasets.world import as_file

TABLES = {
    "HUMAN36M_32": 32, "HUMAN36M_17": 17, "MPI_INF_3DHP_28": 28, "MPI_INF_3DHP_17": 17, "PAPER_16": 16,
    "CANONPOSE_16": 16, "CANONPOSE_LEFT_16": 16,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_every_table_names_our_joints_once(name: str) -> None:
    places = getattr(layout, name)
    assert {*JOINTS} - {*places} <= {"spine"}
    assert len(set(places.values())) == len(places)
    assert max(places.values()) < TABLES[name]
    np.testing.assert_allclose(
        joints_of(as_file(standing(), places, TABLES[name]), places)[:7], standing()[:7]
    )  # the spine of 16 is computed


def test_the_spine_is_the_middle_of_hips_and_shoulders_where_a_file_has_none() -> None:
    pose = joints_of(as_file(standing(), layout.PAPER_16, 16), layout.PAPER_16)
    np.testing.assert_allclose(pose[INDEX["spine"]], [0, 0.25, 0], atol=1e-9)
    score = np.full((1, 16), 0.9)
    score[0, layout.PAPER_16["l_hip"]] = 0.4
    assert scores_of(score, layout.PAPER_16)[0, INDEX["spine"]] == 0.4


def test_scores_lie_between_0_and_1() -> None:
    assert scores_of([[1.7, -1.0, np.nan, *[0.5] * 14]], layout.HUMAN36M_17)[0, :4] == pytest.approx([1, 0, 0, 0.5])


def test_what_is_missing_is_0() -> None:
    xy = np.full((2, J, 2), 5.0)
    xy[0, 3, 1] = np.nan
    score = np.ones((2, J))
    score[1, 4] = 0
    flat, sure = visible_keypoints(xy, score)
    assert flat.dtype == sure.dtype == np.float32
    assert flat[0, 3].tolist() == flat[1, 4].tolist() == [0, 0]
    assert (sure[0, 3], sure[1, 4], sure.sum()) == (0, 0, 2 * J - 2)


@pytest.mark.parametrize("unit", [1, 100, 1000])
def test_units_follow_from_the_size_of_people(unit: float) -> None:
    poses = standing()[None] * unit + 4000.0
    np.testing.assert_allclose(np.diff(metres(poses, "a file"), axis=1), np.diff(standing()[None], axis=1), atol=1e-9)


@pytest.mark.parametrize("unit", [0.01, 10, 1e5])
def test_people_of_no_size_are_refused(unit: float) -> None:
    with pytest.raises(UsageError, match="which is not plausible in m, cm or mm"):
        metres(standing()[None] * unit, "a file")


def test_protocols() -> None:
    assert (HUMAN36M.train, HUMAN36M.test, HUMAN36M.morphing) == (("S5", "S6", "S7", "S8"), ("S9", "S11"), ("S1",))
    assert (HUMAN36M.stride("test"), HUMAN36M.stride("train")) == (64, 5)
    assert MPI_INF_3DHP.cameras == ("0", "2", "7", "8")
    assert MPI_INF_3DHP.subjects("test") == ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
    assert [protocol.moving for protocol in PROTOCOLS.values()] == [False, False, True]
    assert (len(SKIPOSE.cameras), len(SKIPOSE.size_px)) == (6, 6)
    for protocol in PROTOCOLS.values():
        assert not {*protocol.train, *protocol.morphing} & {*protocol.test}
        assert not {*protocol.train} & {*protocol.morphing}
        assert len(protocol.cameras) == len(protocol.size_px)
    with pytest.raises(UsageError, match="Unknown split 'val'"):
        HUMAN36M.subjects("val")  # type: ignore[arg-type]
