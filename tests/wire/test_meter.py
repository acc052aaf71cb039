import time

from pose_rig.wire.meter import Meter


def test_gaps_in_the_index_are_dropped_frames_but_not_before_the_first_frame() -> None:
    meter = Meter("a", 3)
    for index in (100, 101, 104):
        meter.count_received(index)
    health = meter.health("running")
    assert (health.dropped, health.restarts, health.worker) == (2, 3, "a")


def test_unusable_frames_are_counted_and_reported() -> None:
    meter = Meter("a", 0)
    meter.count_dropped("A frame was empty.")
    assert meter.health("running").dropped == 1
    assert meter.health("running").error == "A frame was empty."
    assert meter.health("failed", "It broke.").error == "It broke."


def test_rate_age_and_stages_of_the_last_seconds() -> None:
    meter = Meter("a", 0)
    for age_ms in (10.0, 30.0, 20.0):
        meter.count_sent(age_ms, {"detect": age_ms / 2})
        time.sleep(0.01)
    health = meter.health("running")
    assert 20 < health.rate_hz < 101
    assert (health.age_ms, health.stages_ms, health.frames) == (20.0, {"detect": 10.0}, 3)


def test_health_before_the_first_frame() -> None:
    health = Meter("a", 0).health("starting")
    assert (health.rate_hz, health.age_ms, health.stages_ms, health.frames) == (0.0, 0.0, {}, 0)
