"""Prints the addresses of the live page and of the phones' page, and who can reach them."""

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.qr_code import qr_code
from pose_rig.wire.jobs import WebJob
from pose_rig.wire.services import LOOPBACK

LOCAL_NAMES = (LOOPBACK, "localhost", "::1")
CERTIFICATE = "The browser warns of an unknown certificate: that of this machine. docs/phones.md shows how to trust it."


def print_addresses(job: WebJob | None, console: Console) -> None:
    """Prints the addresses of the pages of a run.

    Args:
        job: Of the web worker; None = there are no pages.
        console: The output.
    """
    if job is None:
        return
    for line in _lines(job):
        console.print(line)
    if job.config.phone_cameras:
        address = _url(job, job.tokens.camera)
        console.print(f"On each phone, open {address}")
        if (code := qr_code(address, console)) is not None:
            console.print(code)


def _lines(job: WebJob) -> list[str]:
    lines = []
    if job.config.view:
        lines.append(f"Live page, with buttons: {_url(job, job.tokens.control, LOOPBACK)}")
        lines.append(f"Live page, to watch only: {_url(job, job.tokens.watch)}")
    if job.port != job.config.web_port and job.config.web_port:
        lines.append(f"Port {job.config.web_port} is in use: the pages are on port {job.port}.")
    if _other_machines(job):
        places = ", ".join(_other_machines(job))
        lines.append(f"Every device that reaches {places} and has such an address can open its page.")
    elif job.config.phone_cameras:
        lines.append("This machine is in no network: no phone reaches it. --host ADDRESS names an address of it.")
    return [*lines, CERTIFICATE]


def _other_machines(job: WebJob) -> list[str]:
    """Returns the addresses at which other machines reach the pages."""
    return [name for name in job.names if name not in LOCAL_NAMES]


def _url(job: WebJob, token: str, name: str = "") -> str:
    from pose_rig.web.network import url

    return url(name or job.names[0], job.port, token)
