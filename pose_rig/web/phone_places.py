"""Which phone is which camera; remembered on this machine, so that a phone is the same camera in the next run."""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from pose_rig.assets.private_file import read_private, write_private
from pose_rig.errors import PoseRigError

FILE = "phones.json"
MAX_REMEMBERED = 64


class PhonePlaces:
    """The cameras of a run that are phones, and which phone each is.

    Args:
        cameras: Their names.
        folder: Where the phones are remembered.
    """

    def __init__(self, cameras: Sequence[str], folder: Path) -> None:
        self._cameras, self._path = tuple(cameras), folder / FILE
        self._remembered = _read(self._path)

    def camera_of(self, phone: str, connected: Collection[str]) -> str | None:
        """Returns the camera that a phone becomes, None if all are taken.

        Its earlier camera comes first, then one that no phone has been before, then one whose phone is not connected.

        Args:
            phone: Identifies the phone.
            connected: Cameras of other phones that are connected.
        """
        free = [camera for camera in self._cameras if camera not in connected]
        known = set(self._remembered.values())
        earlier = self._remembered.get(phone)
        choices = ([earlier] if earlier in free else []) + [camera for camera in free if camera not in known] + free
        if not choices:
            return None
        self._remember(phone, choices[0])
        return choices[0]

    def _remember(self, phone: str, camera: str) -> None:
        if self._remembered.get(phone) == camera:
            return
        self._remembered.pop(phone, None)
        others = {one: place for one, place in self._remembered.items() if place != camera}
        self._remembered = {**dict(list(others.items())[-MAX_REMEMBERED + 1 :]), phone: camera}
        try:
            write_private(self._path, msgspec.json.encode(self._remembered))
        except PoseRigError:
            return  # it is remembered during this run


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(read_private(path) or b"{}", type=dict[str, str])
    except (msgspec.DecodeError, PoseRigError):
        return {}
