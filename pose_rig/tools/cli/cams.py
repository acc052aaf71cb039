"""``pose-rig cams``: the connected cameras and their names."""

from rich.table import Table
from rich.text import Text

from pose_rig.tools.terminal.console import Console


def cams() -> None:
    """List the connected cameras and how to name them in --cams.

    The index may change when a camera is connected again; the entry under "stable name" does not.
    """
    from pose_rig.capture.connected_cameras import connected_cameras  # imports OpenCV

    console = Console()
    cameras = connected_cameras()
    if not cameras:
        console.print("No camera is connected. Without one: `pose-rig demo`, or `pose-rig run --cams sim:4`.")
        return
    table = Table(box=None, pad_edge=False)
    for header in ("index", "name", "device", "usb", "stable name"):
        table.add_column(header, overflow="fold")
    for camera in cameras:
        texts = (camera.name, camera.path, camera.usb, camera.identity)
        table.add_row(str(camera.index), *(Text(text) for text in texts))
    console.print(table)
    indices = ",".join(str(camera.index) for camera in cameras)
    console.print(f"Use them all: `pose-rig run --cams {indices}`.")
