"""``pose-rig cams``: which cameras are plugged in, and what to call them."""

from rich.table import Table
from rich.text import Text

from pose_rig.tools.terminal.console import Console


def cams() -> None:
    """List the plugged-in cameras and how to name them.

    An index may change when a camera is plugged in again; what stands under "found again by" does not.
    """
    from pose_rig.capture.connected_cameras import connected_cameras  # brings OpenCV

    console = Console()
    cameras = connected_cameras()
    if not cameras:
        console.print("No camera is plugged in. Without one: `pose-rig demo`, or `pose-rig run --cams sim:4`.")
        return
    table = Table(box=None, pad_edge=False)
    for header in ("index", "name", "device", "usb", "found again by"):
        table.add_column(header, overflow="fold")
    for camera in cameras:
        texts = (camera.name, camera.path, camera.usb, camera.identity)
        table.add_row(str(camera.index), *(Text(text) for text in texts))
    console.print(table)
    indices = ",".join(str(camera.index) for camera in cameras)
    console.print(f"Use them all: `pose-rig run --cams {indices}`.")
