"""Everything that the user wants the person sent to."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.messages import Target
from pose_rig.streaming.address import JSON_PORT, VMC_PORT, VRCHAT_PORT, WEBSOCKET_PORT, Address, listener, receiver
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import JsonEncoder
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.profiles import PROFILES
from pose_rig.streaming.udp import UdpTarget
from pose_rig.streaming.vmc import VmcEncoder
from pose_rig.streaming.vrchat import PARTS, TrackerEncoder
from pose_rig.streaming.vrm import load_vrm
from pose_rig.streaming.websocket import WebSocketServer


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


class WebSocketOutput:
    """Clients of a WebSocket.

    Args:
        server: What they connect to.
    """

    def __init__(self, server: WebSocketServer) -> None:
        self._server = server

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Offers a frame to each."""
        self._server.send(pose, now_ns)

    def targets(self) -> list[Target]:
        """Returns how it stands."""
        return [self._server.target()]

    def close(self) -> None:
        """Ends the server."""
        self._server.close()


def places(stream: StreamConfig) -> dict[str, list[Address]]:
    """Returns all that is asked for, by kind, understood.

    Raises:
        UsageError: Something is written wrongly, or does not go together.
    """
    for part in stream.trackers:
        if part not in PARTS:
            raise UsageError(f"VRChat has no tracker for {part!r}.", f"Choose from {', '.join(PARTS)}.")
    if stream.scale == "avatar" and not stream.avatar:
        raise UsageError("There is no avatar to fit the way through the room to.", "Add --avatar model.vrm.")
    return {
        "vmc": [receiver(text, VMC_PORT, tuple(PROFILES)) for text in stream.vmc],
        "vrchat": [receiver(text, VRCHAT_PORT) for text in stream.vrchat],
        "json": [receiver(text, JSON_PORT, tuple(AXES)) for text in stream.json],
        "websocket": [listener(stream.websocket, WEBSOCKET_PORT)] if stream.websocket else [],
    }


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
        for profile in dict.fromkeys(address.choice for address in wanted["vmc"]):
            encoder = VmcEncoder(PROFILES[profile], avatar, stream.root or None, fit=fit)
            outputs.append(_udp(undo, encoder, "vmc", [place for place in wanted["vmc"] if place.choice == profile]))
        if wanted["vrchat"]:
            outputs.append(_udp(undo, TrackerEncoder(stream.trackers), "vrchat", wanted["vrchat"]))
        for axes in dict.fromkeys(address.choice for address in wanted["json"]):
            same = [place for place in wanted["json"] if place.choice == axes]
            outputs.append(_udp(undo, JsonEncoder(AXES[axes]), "json", same))
        for address in wanted["websocket"]:
            outputs.append(WebSocketOutput(WebSocketServer(address, stream.origins)))
            undo.callback(outputs[-1].close)
        undo.pop_all()
    return outputs


def _udp(undo: ExitStack, encoder: Encoder, kind: str, addresses: list[Address]) -> UdpOutput:
    targets = []
    for address in addresses:
        targets.append(UdpTarget(kind, address))  # type: ignore[arg-type]  # one of its kinds
        undo.callback(targets[-1].close)
    return UdpOutput(encoder, targets)
