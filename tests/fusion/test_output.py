"""What the fusion process publishes at its end."""

import time
from contextlib import closing

from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.output import FusionOutput
from pose_rig.fusion.publisher import Publisher
from pose_rig.graph import Engine
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.messages import Health, Message
from tests.fusion.fakes import config
from tests.ports import free_endpoint


def until_ended(receiver: Receiver) -> list[Health]:
    """Returns the health messages up to the last one of the fusion."""
    received: list[Message] = []
    deadline_s = time.monotonic() + 10
    while not any(isinstance(message, Health) and message.state == "ended" for message in received[-1:]):
        assert time.monotonic() < deadline_s
        received += receiver.receive(50)
    return [message for message in received if isinstance(message, Health)]


def test_the_last_health_of_a_camera_is_published_once_more_and_recorded_once(engine: Engine) -> None:
    endpoint = free_endpoint()
    job = FusionJob(config(2), (), "")
    last = Health(worker="cam0", t_ns=1, state="running", frames=30)
    with Receiver(endpoint, "lossless", bind=True) as recorder, Sender("tcp://127.0.0.1:0", bind=True) as sender:
        publisher = Publisher(sender, Sender(endpoint, "lossless"), waits=True, stopped=lambda: False)
        with Receiver(sender.endpoint) as subscriber, closing(publisher):
            output = FusionOutput(job, Estimator(job.config, engine), publisher, None, engine)
            while not subscriber.receive(10):
                output.ready()
            output.forward(0, Health(worker="cam0", t_ns=0, state="running", frames=20))
            output.forward(0, last)
            output.finish()
            published, recorded = until_ended(subscriber), until_ended(recorder)
    assert [(health.worker, health.frames) for health in published[-4:]] == [
        ("cam0", 20), ("cam0", 30), ("cam0", 30), ("fusion", 0),
    ]  # fmt: skip
    assert [health.frames for health in recorded if health.worker == "cam0"] == [20, 30]
