"""Everything that the user wants the person sent to."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.humanoid.vrm import load_vrm
from pose_rig.streaming.address import Address, listener, receiver
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import JsonEncoder
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.profiles import PROFILES
from pose_rig.streaming.traffic import DatagramKind
from pose_rig.streaming.udp import UdpTarget
from pose_rig.streaming.vmc import VmcEncoder
from pose_rig.streaming.vrchat import PARTS, TrackerEncoder
from pose_rig.streaming.websocket import WebSocketServer
from pose_rig.wire.messages import Target
from pose_rig.wire.services import JSON_PORT, VMC_PORT, VRCHAT_PORT, WEBSOCKET_PORT


class Output(Protocol):
    """Where frames go."""

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Sends a frame; never waits, never raises."""

    def targets(self) -> list[Target]:
        """Returns how each of its targets stands."""

    def close(self) -> None:
        """Ends."""


class Encoder(Protocol):
    """Makes datagrams of a pose."""

    def encode(self, pose: LivePose, now_ns: int) -> Sequence[bytes | memoryview]:
        """Returns the datagrams of a frame."""


class UdpOutput:
    """Receivers that get the same datagrams.

    Args:
        encoder: What makes them.
        targets: The receivers.
    """

    def __init__(self, encoder: Encoder, targets: Sequence[UdpTarget]) -> None:
        self._encoder, self._targets = encoder, targets
        self._last: Sequence[bytes | memoryview] = ()

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Sends a frame to each."""
        self._last = self._encoder.encode(pose, now_ns)
        for target in self._targets:
            target.send(self._last)

    def targets(self) -> list[Target]:
        """Returns how each of its targets stands."""
        for target in self._targets:
            target.traffic.keep(self._last)
        return [target.traffic.target() for target in self._targets]

    def close(self) -> None:
        """Closes the sockets."""
        for target in self._targets:
            target.close()


@dataclass(frozen=True, slots=True)
class Places:
    """All that is asked for, understood."""

    vmc: tuple[Address, ...]
    vrchat: tuple[Address, ...]
    json: tuple[Address, ...]
    websocket: tuple[Address, ...]


def places(stream: StreamConfig) -> Places:
    """Returns where the user wants the person sent to.

    Raises:
        UsageError: Something is written wrongly, or does not go together.
    """
    for part in stream.trackers:
        if part not in PARTS:
            raise UsageError(f"VRChat has no tracker for {part!r}.", f"Choose from {', '.join(PARTS)}.")
    if stream.scale == "avatar" and not stream.avatar:
        raise UsageError("There is no avatar to fit the way through the room to.", "Add --avatar model.vrm.")
    return Places(
        vmc=tuple(receiver(text, VMC_PORT, tuple(PROFILES)) for text in stream.vmc),
        vrchat=tuple(receiver(text, VRCHAT_PORT) for text in stream.vrchat),
        json=tuple(receiver(text, JSON_PORT, tuple(AXES)) for text in stream.json),
        websocket=(listener(stream.websocket, WEBSOCKET_PORT),) if stream.websocket else (),
    )


def open_outputs(stream: StreamConfig) -> list[Output]:
    """Returns the outputs, ready to send.

    Raises:
        UsageError: One cannot be had.
    """
    wanted = places(stream)
    avatar = load_vrm(Path(stream.avatar)) if stream.avatar else None
    fit = avatar is not None and stream.scale != "body"
    outputs: list[Output] = []
    with ExitStack() as undo:

        def add(kind: DatagramKind, encoder: Encoder, addresses: Sequence[Address]) -> None:
            targets = []
            for address in addresses:
                targets.append(UdpTarget(kind, address))
                undo.callback(targets[-1].close)
            outputs.append(UdpOutput(encoder, targets))

        for profile, same in _by_choice(wanted.vmc).items():
            add("vmc", VmcEncoder(PROFILES[profile], avatar, stream.root or None, fit=fit), same)
        if wanted.vrchat:
            add("vrchat", TrackerEncoder(stream.trackers), wanted.vrchat)
        for axes, same in _by_choice(wanted.json).items():
            add("json", JsonEncoder(AXES[axes]), same)
        for address in wanted.websocket:
            outputs.append(WebSocketServer(address, stream.origins))
            undo.callback(outputs[-1].close)
        undo.pop_all()
    return outputs


def _by_choice(addresses: Sequence[Address]) -> dict[str, list[Address]]:
    """Returns those that get the same datagrams, in the order in which they were given."""
    groups: dict[str, list[Address]] = {}
    for address in addresses:
        groups.setdefault(address.choice, []).append(address)
    return groups
