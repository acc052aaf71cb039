"""The 2D part of a poses file, from a session."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.session.camera_arrays import view_arrays
from pose_rig.session.reader import Session
from tests.session.drawable import FOCAL_PX, POSITION_M, ROTATION, refined, rig, seen
from tests.session.recorded import FRAME_NS, START_NS, frame, pose, rig_of, talk, write
from tests.session.two_people import ASIDE_PX, PRESENT, session_of_two


def read(path: Path) -> dict[str, NDArray[Any]]:
    with Session(path) as session:
        return view_arrays(session, session.people())


def test_shapes_and_what_is_known(tmp_path: Path) -> None:
    messages = [*talk(5), *(refined(START_NS + i * FRAME_NS, camera=0) for i in (1, 3)), rig(START_NS)]
    got = read(write(tmp_path / "take.mcap", messages))
    assert {key: value.shape for key, value in got.items()} == {
        "cameras": (2,), "landmarks": (17,), "xy": (5, 2, 17, 2), "xy_score": (5, 2, 17), "xy_refined": (5, 2, 17, 2),
        "K": (2, 3, 3), "R": (2, 3, 3), "t": (2, 3), "k1": (2,),
        "dist": (2, 5), "fisheye": (2,), "size_px": (2, 2),
        "R_sd_deg": (2,), "t_sd_m": (2,), "focal_sd_px": (2,), "time_offset_s": (2,),
            "time_offset_sd_s": (2,),
    }  # fmt: skip
    np.testing.assert_array_equal(got["xy"][2, 0, :16], seen(0)[:16])
    assert np.isfinite(got["xy_refined"]).all((2, 3)).tolist() == [[i in (1, 3), False] for i in range(5)]
    np.testing.assert_array_equal(got["R"], ROTATION)
    np.testing.assert_allclose(got["t"], np.stack([-r @ p for r, p in zip(ROTATION, POSITION_M, strict=True)]))
    np.testing.assert_array_equal(got["K"][1], [[FOCAL_PX, 0, 640], [0, FOCAL_PX, 360], [0, 0, 1]])


def test_the_nearest_frame_is_taken_and_none_that_is_too_far(tmp_path: Path) -> None:
    frames = [frame(i, xy=frame(i).xy + np.float32(i)) for i in range(4)]
    poses = [pose(i, t_ns=START_NS + offset) for i, offset in enumerate((0, 15_000_000, 40_000_000, 500_000_000))]
    got = read(write(tmp_path / "take.mcap", [*frames, *poses]))
    shift = got["xy"][:3, 0, 0, 0] - seen(0)[0, 0]
    np.testing.assert_allclose(shift, [0, 0, 1], atol=1e-3)
    assert np.isnan(got["xy"][3]).all()
    assert (got["xy_score"][3] == 0).all()


def test_of_several_people_it_is_the_one_whose_pose_was_refined(tmp_path: Path) -> None:
    crowd = frame(0, people=2)
    crowd = frame(0, people=2, xy=crowd.xy + np.array([500.0, 0.0], np.float32).reshape(2, 1, 1))
    got = read(write(tmp_path / "take.mcap", [crowd, pose(0), refined(START_NS)]))
    np.testing.assert_allclose(got["xy"][0, 0, 0], seen(0)[0], atol=1e-3)


def test_cameras_without_detections_or_frames_are_nan(tmp_path: Path) -> None:
    cameras = ("cam0", "cam1", "dead")
    messages = [message for i in range(3) for message in (frame(i), frame(i, "cam1", people=0), pose(i))]
    got = read(write(tmp_path / "take.mcap", messages, rig_of(cameras)))
    assert np.isfinite(got["xy"][:, 0, :16]).all()
    assert np.isnan(got["xy"][:, 1:]).all()
    assert np.isnan(got["K"]).all()
    assert got["cameras"].tolist() == list(cameras)


def test_a_session_without_any_frame_has_no_landmarks(tmp_path: Path) -> None:
    got = read(write(tmp_path / "take.mcap", [pose(0), pose(1)]))
    assert got["landmarks"].tolist() == ["none"]
    assert np.isnan(got["xy"]).all()


def test_rows_of_people_have_their_own_detections(tmp_path: Path) -> None:
    """The second person is detected by the first camera only; the first one by both."""
    with Session(session_of_two(tmp_path / "two.mcap")) as session:
        people = session.people()
        got = view_arrays(session, people)
        alone = view_arrays(session, people[1:])
    first, second = slice(0, 60), slice(60, 105)
    assert got["xy"].shape == (105, 2, 17, 2)
    apart = got["xy"][second, 0] - got["xy"][first, 0][list(PRESENT)]
    np.testing.assert_allclose(apart[:, :16], np.broadcast_to(ASIDE_PX, (45, 16, 2)), atol=1e-3)
    np.testing.assert_allclose(got["xy_refined"][second, 0], got["xy_refined"][first, 0][list(PRESENT)] + ASIDE_PX)
    assert np.isnan(got["xy"][:, 1]).all()  # nobody is refined there, so whom it detects is not known
    for key in ("xy", "xy_score", "xy_refined"):
        np.testing.assert_array_equal(alone[key], got[key][second])
