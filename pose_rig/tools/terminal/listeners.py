"""Who can watch a run over the network, as the terminal says it at the start."""

from pose_rig.streaming.address import Address, parse_listen_address
from pose_rig.tools.workers.plan import Plan
from pose_rig.wire.jobs import StreamJob
from pose_rig.wire.services import WEBSOCKET_PORT

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound here


def watchers(plan: Plan) -> list[str]:
    """Returns who can watch over each server that needs a token; servers of this machine only need none."""
    jobs = [worker.job for worker in plan.workers if isinstance(worker.job, StreamJob)]
    return [
        websocket_line(parse_listen_address(job.stream.websocket, WEBSOCKET_PORT), job) for job in jobs if job.token
    ]


def websocket_line(address: Address, job: StreamJob) -> str:
    """Returns who can watch over the WebSocket server."""
    query = f"?token={job.token}"
    if address.is_loopback:
        return f"WebSocket clients of this machine need the token: ws://{address}/{query}"
    if address.host in EVERY_ADDRESS:
        place, which = f"HOST:{address.port}", " (HOST: an address of this machine)"
    else:
        place, which = str(address), ""
    return f"Every machine that reaches {address} can watch with this token{which}: ws://{place}/{query}"
