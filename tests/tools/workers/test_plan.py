"""What the workers of a rig are started with."""

import pytest
from msgspec.structs import replace

from pose_rig.config import CameraConfig, Config
from pose_rig.tools.workers.plan import Plan, plan, replay_plan
from pose_rig.wire.jobs import CameraJob, FusionJob, ReplayJob

CONFIG = Config(camera=(CameraConfig(source="a.mp4", name="a"),), port=0, pace="all", passes=2)
REPLAY = ReplayJob(FusionJob(CONFIG, (), ""), "take.mcap", exact=False, realtime=False)


def fusion_job(ready: Plan) -> FusionJob:
    jobs = [worker.job for worker in ready.workers if isinstance(worker.job, FusionJob | ReplayJob)]
    assert len(jobs) == 1
    return jobs[0].fusion if isinstance(jobs[0], ReplayJob) else jobs[0]


def test_detectors_look_for_as_many_people_as_are_tracked_and_one_more() -> None:
    def looked_for(config: Config) -> list[int]:
        return [worker.job.detector.people for worker in plan(config, "").workers if isinstance(worker.job, CameraJob)]

    assert looked_for(CONFIG) == [2]
    assert looked_for(replace(CONFIG, people=3)) == [4]


@pytest.mark.parametrize("people", [1, 2])
def test_cameras_describe_what_people_look_like_if_several_are_tracked(people: int) -> None:
    jobs = [worker.job for worker in plan(replace(CONFIG, people=people), "").workers]
    assert [job.appearance for job in jobs if isinstance(job, CameraJob)] == [people > 1]


@pytest.mark.parametrize("cores", [None, 3])
def test_fusion_is_given_its_cores(cores: int | None) -> None:
    assert fusion_job(plan(CONFIG, "", cores=cores)).cores == cores
    assert fusion_job(replay_plan(CONFIG, REPLAY, 0, cores)).cores == cores
