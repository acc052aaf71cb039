"""What the workers of a rig are started with."""

import pytest
from msgspec.structs import replace

from pose_rig.config import CameraConfig, Config
from pose_rig.tools.workers.plan import Plan, plan, replay_plan
from pose_rig.wire.jobs import CameraJob, FusionJob, ImagesJob, ReplayJob

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


def test_a_replay_with_a_page_has_a_worker_for_its_images() -> None:
    missing = {"a": "recorded without video"}
    ready = replay_plan(replace(CONFIG, view=True, passes=1), REPLAY, 0, no_images=missing)
    assert ready.web is not None
    assert (ready.web.live, ready.web.recorded, ready.web.no_images) == (False, True, missing)
    (images,) = [worker.job for worker in ready.workers if isinstance(worker.job, ImagesJob)]
    assert (images.path, images.cameras, images.without) == ("take.mcap", ("a",), ("a",))
    assert (images.input, images.thumbnails) == (ready.internal, ready.web.thumbnails)
    assert not any(isinstance(worker.job, ImagesJob) for worker in replay_plan(CONFIG, REPLAY, 0).workers)


@pytest.mark.parametrize(
    ("source", "recorded", "missing"),
    [
        ("sim", True, "simulated: 2D poses only"),
        ("a.npz", True, "2D poses only"),
        ("a.mp4", True, ""),
        ("0", False, ""),
    ],
)
def test_a_page_knows_of_what_there_are_no_images(source: str, recorded: bool, missing: str) -> None:
    camera = CameraConfig(source=source, name="a")
    pages = plan(Config(camera=(camera,), port=0, web_port=0, view=True), "").web
    assert pages is not None
    assert (pages.recorded, pages.no_images) == (recorded, {"a": missing} if missing else {})
