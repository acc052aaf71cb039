"""``pose-rig doctor``: checks this machine and suggests remedies."""

from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from pose_rig.tools.terminal.console import Console

if TYPE_CHECKING:
    from pose_rig.tools.cli.checks import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor() -> None:
    """Check this machine: Python, packages, models, inference providers, cameras, network, disk.

    The exit code is 1 if something must be repaired before a rig can run.
    """
    from pose_rig.tools.cli.checks import CHECKS  # imports MCAP

    console = Console()
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in check():
            findings.append(finding)
            console.print(_line(finding))
    failed = [finding for finding in findings if finding.status == "fail"]
    text = f"{len(failed)} check(s) failed." if failed else "Ready to run: `pose-rig demo`."
    console.print(text)
    if failed:
        raise typer.Exit(1)


def _line(finding: "Finding") -> Table:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=4)
    line.add_column(width=10)
    line.add_column(overflow="fold")
    text = f"{finding.text} {finding.remedy}".rstrip()
    line.add_row(Text(finding.status, style=_COLOURS[finding.status]), Text(finding.subject), Text(text))
    return line
