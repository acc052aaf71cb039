"""The people in the frames of one camera."""

import numpy as np

from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.people_in_view import main_person, people_in_view
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import together, tracks

SECONDS = 2.0


def takes(seconds: float = SECONDS) -> tuple[CameraTrack, CameraTrack]:
    one, other = (tracks(calibration(1), np.zeros(1), seconds, seed=s, aside_m=a)[0] for s, a in ((0, 0.0), (3, 1.3)))
    return one, other


def part(take: CameraTrack, rows: np.ndarray) -> CameraTrack:
    return CameraTrack(*(getattr(take, name)[rows] for name in CameraTrack.__slots__))


def test_the_largest_person_is_followed() -> None:
    take = takes()[0]
    small = 0.4 * (take.xy_px - take.xy_px.mean(1, keepdims=True)) + take.xy_px.mean(1, keepdims=True) + [400.0, 0.0]
    far = CameraTrack(take.t_ns, small, take.score, take.lifted, take.upright)
    assert main_person(together([far], [take])[0]).tolist() == list(range(1, 2 * len(take.t_ns), 2))


def test_people_are_followed_whatever_their_order() -> None:
    one, other = takes()
    both = together([one], [other], swapped_s=0.3)[0]
    found = people_in_view(both)
    assert len(found) == 2
    expected = {one.xy_px.tobytes(), other.xy_px.tobytes()}
    assert {both.xy_px[rows].tobytes() for rows in found} == expected


def test_who_is_missed_for_long_is_another_person() -> None:
    one, other = takes()
    frames = len(one.t_ns)
    for gap, count in ((4, 2), (9, 3)):
        seen = np.r_[0:20, 20 + gap : frames]
        assert len(people_in_view(together([one], [part(other, seen)])[0])) == count


def test_nothing_and_a_crowd() -> None:
    assert people_in_view(CameraTrack.empty()) == []
    take = takes(0.5)[0]
    rng = np.random.default_rng(0)
    for _ in range(4):
        take = together([take], [part(take, rng.permutation(len(take.t_ns)))])[0]
    rows = np.concatenate(people_in_view(take))
    assert sorted(rows.tolist()) == list(range(len(take.t_ns)))
