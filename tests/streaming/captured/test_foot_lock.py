"""The foot lock on captured motion, joints some millimetres off."""

import numpy as np
import pytest

from benchmarks.engines.feet import ANKLES, LEGS, RATE_HZ, TIPS, Take, level, sliding_m_s, walked
from pose_rig.arrays import Floats
from pose_rig.skeleton import J
from tests.streaming.captured.motion import clips

# data set → every so many-th clip, and seconds of it, so that this stays quick
PARTS = {"cmu_subset": (12, 6.0), "opencap_subset": (5, 5.0), "reactidle": (6, 15.0)}


@pytest.mark.parametrize("toes", [True, False])
@pytest.mark.parametrize("sd_m", [0.005, 0.010])
@pytest.mark.parametrize("name", PARTS)
def test_captured_feet_slide_less_and_are_not_held_in_flight(name: str, sd_m: float, toes: bool) -> None:
    rng, points = np.random.default_rng(12), TIPS if toes else ANKLES
    slides: tuple[list[Floats], list[Floats]] = ([], [])
    misses: tuple[list[Floats], list[Floats]] = ([], [])
    steps: tuple[list[Floats], list[Floats]] = ([], [])
    for clip in clips(name, *PARTS[name]):
        slow = clip.slower(RATE_HZ)
        joints = len(slow.joints) if toes else J
        take = level(Take(slow.joints[:joints], slow.rate_hz, slow.xyz[:, :joints]))
        run = walked(take, take.noisy(sd_m, rng))
        assert not run.standing[take.flies(*points)].any(), clip.name
        for k, shown in enumerate((run.free, run.held)):
            at = shown.tips if toes else shown.ankles
            slides[k].append(sliding_m_s(at, take.stands(*points), take.rate_hz))
            beside = (shown.ankles - take.at(*ANKLES))[..., [0, 2]]
            misses[k].append(np.linalg.norm(beside, axis=-1).ravel())
            steps[k].append(shown.steps_deg()[:, LEGS].ravel())
    free, now = (np.median(np.concatenate(part)) for part in slides)
    assert now < 0.25 * free
    free, now = (np.median(np.concatenate(part)) for part in misses)
    assert now < free + 0.005
    free, now = (np.max(np.concatenate(part)) for part in steps)
    assert now < 1.15 * free
