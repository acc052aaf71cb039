"""Two people from a keypoint file to saved poses, in real processes, and again from the recording."""

from pathlib import Path

import numpy as np

from pose_rig.session.formats.poses_file import read_people
from pose_rig.session.reader import Session
from tests.fusion.people.scenes import PeopleScene, two_people, write_people
from tests.fusion.simulated import aligned
from tests.tools.cli.test_app import pose_rig_process

SECONDS = 5.0


def keypoint_file(path: Path) -> PeopleScene:
    """Writes what four cameras detect of two people, NaN where they detect no one."""
    scene = two_people(SECONDS)
    write_people(path, scene)
    with np.load(path) as file:
        arrays = dict(file)
    missing = arrays["score"] == 0
    assert missing.any()
    arrays["xy"][missing], arrays["score"][missing] = np.nan, np.nan
    np.savez(path, **arrays)
    return scene


def test_two_people_are_saved_where_they_are_and_a_replay_repeats_them_to_the_last_bit(tmp_path: Path) -> None:
    scene = keypoint_file(tmp_path / "two.npz")
    session, first, second = tmp_path / "take.mcap", tmp_path / "first.npz", tmp_path / "second.npz"
    code, output = pose_rig_process(
        "run", "--cams", str(tmp_path / "two.npz"), "--people", "2", "--pace", "all", "--headless", "--port", "0",
        "--save", str(first), "--record", str(session),
    )  # fmt: skip
    assert code == 0, output
    people = read_people(first)
    assert [one.person for one in people] == [0, 1]
    solved = [one.mode == "solved" for one in people]
    at = [np.round(one.t_ns[ok] * 1e-9 * scene.fps).astype(int) for one, ok in zip(people, solved, strict=True)]
    assert all(len(times) > 0.5 * SECONDS * scene.fps for times in at)
    xyz = np.concatenate([one.xyz[ok, :17] for one, ok in zip(people, solved, strict=True)])
    errors_m = []
    for order in ((0, 1), (1, 0)):  # either can be the first
        true = np.concatenate([scene.joints[times, person] for times, person in zip(at, order, strict=True)])
        placed = aligned(xyz.reshape(-1, 3), true.reshape(-1, 3)).reshape(true.shape)
        errors_m.append(np.linalg.norm(placed - true, axis=-1).mean())
    assert min(errors_m) < 0.03
    assert max(errors_m) > 0.15
    code, output = pose_rig_process(
        "replay", str(session), "--exact", "--headless", "--port", "0", "--save", str(second)
    )
    assert code == 0, output
    assert second.read_bytes() == first.read_bytes()
    with Session(session) as recorded:
        for one, saved in zip(recorded.people(), people, strict=True):
            assert (one.person, len(one)) == (saved.person, len(saved))
            np.testing.assert_array_equal(one.xyz, saved.xyz)
