"""The foot lock on captured motion, with noise of some millimetres."""

import numpy as np
import pytest

from benchmarks.engines.feet import ANKLES, LEGS, RATE_HZ, TIPS, Take, lock_feet, on_floor, sliding_m_s
from pose_rig.arrays import Floats
from pose_rig.skeleton import J
from tests.streaming.captured.motion import clips

# data set → every Nth clip, and its length in seconds: limits the duration of the test
PARTS = {"cmu_subset": (12, 6.0), "opencap_subset": (5, 5.0), "reactidle": (6, 15.0)}


@pytest.mark.parametrize("toes", [True, False])
@pytest.mark.parametrize("sd_m", [0.005, 0.010])
@pytest.mark.parametrize("name", PARTS)
def test_captured_feet_slide_less_and_are_not_locked_in_flight(name: str, sd_m: float, toes: bool) -> None:
    rng, points = np.random.default_rng(12), TIPS if toes else ANKLES
    slides: tuple[list[Floats], list[Floats]] = ([], [])
    errors: tuple[list[Floats], list[Floats]] = ([], [])
    steps: tuple[list[Floats], list[Floats]] = ([], [])
    for clip in clips(name, *PARTS[name]):
        slow = clip.slower(RATE_HZ)
        joints = len(slow.joints) if toes else J
        take = on_floor(Take(slow.joints[:joints], slow.rate_hz, slow.xyz[:, :joints]))
        run = lock_feet(take, take.noisy(sd_m, rng))
        assert not run.contact[take.in_flight(*points)].any(), clip.name
        for k, shown in enumerate((run.free, run.locked)):
            at = shown.tips if toes else shown.ankles
            slides[k].append(sliding_m_s(at, take.in_contact(*points), take.rate_hz))
            error = (shown.ankles - take.positions(*ANKLES))[..., [0, 2]]
            errors[k].append(np.linalg.norm(error, axis=-1).ravel())
            steps[k].append(shown.steps_deg()[:, LEGS].ravel())
    free, now = (np.median(np.concatenate(part)) for part in slides)
    assert now < 0.25 * free
    free, now = (np.median(np.concatenate(part)) for part in errors)
    assert now < free + 0.005
    free, now = (np.max(np.concatenate(part)) for part in steps)
    assert now < 1.15 * free
