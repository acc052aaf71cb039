"""Progress of downloads: a bar in a terminal, lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pose_rig.assets.catalog import NetworkFetcher
from pose_rig.assets.download import ShowBytes


def network(console: Console) -> NetworkFetcher:
    """Returns the source of assets, its downloads shown on a console."""
    return NetworkFetcher(partial(bar, console) if console.is_terminal else None)


@contextmanager
def bar(console: Console, name: str, size: int) -> Iterator[ShowBytes]:
    """Shows a download of ``size`` bytes as a progress bar; yields the function that takes the bytes received."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(name, total=size)
        yield lambda count: progress.update(task, completed=count)
