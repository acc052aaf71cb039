"""Outputs of the streaming process: UDP targets and the WebSocket server, made from the user's options."""

import re
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.humanoid.vrm import load_vrm
from pose_rig.streaming.address import Address, parse_listen_address, parse_target
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import JsonEncoder
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.target_stats import DatagramKind
from pose_rig.streaming.udp import UdpTarget
from pose_rig.streaming.vmc import PROFILES, VmcEncoder
from pose_rig.streaming.vrchat import TRACKER_BONES, TrackerEncoder
from pose_rig.streaming.websocket import WebSocketServer
from pose_rig.wire.messages import Target
from pose_rig.wire.services import JSON_PORT, VMC_PORT, VRCHAT_PORT, WEBSOCKET_PORT

VALID_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")  # URLs may have them as they are
TOKEN_BYTES = 16
GOOD_LENGTH = "Take one of 16 to 128 characters; without --websocket-token every run makes a new one."


class Output(Protocol):
    """A destination of frames."""

    @property
    def person(self) -> int | None:
        """Identity of the person whose poses it gets; None: the first, with all people where several are followed."""

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Sends a frame; never blocks, never raises."""

    def targets(self) -> list[Target]:
        """Returns the counters of its targets."""

    def close(self) -> None:
        """Closes its sockets."""


class DatagramEncoder(Protocol):
    """Encodes poses as datagrams."""

    def encode(self, pose: LivePose, now_ns: int) -> Sequence[bytes | memoryview]:
        """Returns the datagrams of a frame."""


class UdpOutput:
    """Receivers that get the same datagrams.

    Args:
        encoder: Encoder of the datagrams.
        targets: The receivers.
        person: Identity of the person that they get; None = the first.
    """

    def __init__(self, encoder: DatagramEncoder, targets: Sequence[UdpTarget], person: int | None = None) -> None:
        self.person = person
        self._encoder, self._targets = encoder, targets
        self._last: Sequence[bytes | memoryview] = ()

    def send(self, pose: LivePose, now_ns: int) -> None:
        """Sends a frame to each."""
        self._last = self._encoder.encode(pose, now_ns)
        for target in self._targets:
            target.send(self._last)

    def targets(self) -> list[Target]:
        """Returns the counters of its targets."""
        return [target.stats.message(self._last) for target in self._targets]

    def close(self) -> None:
        """Closes the sockets."""
        for target in self._targets:
            target.close()


def parse_addresses(stream: StreamConfig) -> dict[str, list[Address]]:
    """Returns the addresses of each protocol: ``vmc``, ``vrchat``, ``json``, ``websocket``.

    Raises:
        UsageError: An address, a tracker or a combination of options is invalid.
    """
    for part in stream.trackers:
        if part not in TRACKER_BONES:
            raise UsageError(f"Unknown VRChat tracker {part!r}.", f"Choose from {', '.join(TRACKER_BONES)}.")
    if stream.scale == "avatar" and not stream.avatar:
        raise UsageError("--scale avatar needs an avatar.", "Add --avatar model.vrm.")
    if stream.token and not VALID_TOKEN.fullmatch(stream.token):
        raise UsageError("The token is too short, or has characters other than letters, digits, - and _.", GOOD_LENGTH)
    found = {
        "vmc": [parse_target(text, VMC_PORT, tuple(PROFILES)) for text in stream.vmc],
        "vrchat": [parse_target(text, VRCHAT_PORT) for text in stream.vrchat],
        "json": [parse_target(text, JSON_PORT, tuple(AXES)) for text in stream.json],
        "websocket": [parse_listen_address(stream.websocket, WEBSOCKET_PORT)] if stream.websocket else [],
    }
    for kind in ("vmc", "vrchat"):
        _check_one_person_each(found[kind])
    return found


def targeted_people(stream: StreamConfig) -> set[int]:
    """Returns the identities of the people who have a target of their own.

    Raises:
        UsageError: As `parse_addresses`.
    """
    every = [address for addresses in parse_addresses(stream).values() for address in addresses]
    return {address.person for address in every if address.person is not None}


def websocket_token(stream: StreamConfig) -> str:
    """Returns the token that WebSocket clients of a run need: a new one unless one is given, none on loopback.

    Raises:
        UsageError: As `parse_addresses`.
    """
    addresses = parse_addresses(stream)["websocket"]
    if stream.token or all(address.is_loopback for address in addresses):
        return stream.token
    return secrets.token_urlsafe(TOKEN_BYTES)


def open_outputs(stream: StreamConfig, token: str = "") -> list[Output]:
    """Returns the outputs, ready to send; ``token`` as in `WebSocketServer`.

    Raises:
        UsageError: An option is invalid, or an output cannot be opened.
    """
    addresses = parse_addresses(stream)
    avatar = load_vrm(Path(stream.avatar)) if stream.avatar else None
    fit = avatar is not None and stream.scale != "body"
    outputs: list[Output] = []
    with ExitStack() as undo:

        def add(kind: DatagramKind, encoder: DatagramEncoder, receivers: Sequence[Address]) -> None:
            targets: list[UdpTarget] = []
            for address in receivers:
                targets.append(UdpTarget(kind, address))
                undo.callback(targets[-1].close)
            outputs.append(UdpOutput(encoder, targets, receivers[0].person))

        for (profile, _), receivers in _by_choice(addresses["vmc"]).items():
            encoder = VmcEncoder(avatar, all_bones=PROFILES[profile], root=stream.root or "hips", fit=fit)
            add("vmc", encoder, receivers)
        for receivers in _by_choice(addresses["vrchat"]).values():
            add("vrchat", TrackerEncoder(stream.trackers), receivers)
        for (axes, _), receivers in _by_choice(addresses["json"]).items():
            add("json", JsonEncoder(AXES[axes]), receivers)
        for address in addresses["websocket"]:
            outputs.append(WebSocketServer(address, stream.origins, token=token))
            undo.callback(outputs[-1].close)
        undo.pop_all()
    return outputs


def _by_choice(addresses: Sequence[Address]) -> dict[tuple[str, int | None], list[Address]]:
    """Returns groups of addresses that get the same datagrams, in the given order, by choice and person."""
    groups: dict[tuple[str, int | None], list[Address]] = {}
    for address in addresses:
        groups.setdefault((address.choice, address.person), []).append(address)
    return groups


def _check_one_person_each(addresses: Sequence[Address]) -> None:
    """Refuses two people at one address, where a receiver could not tell them apart.

    Raises:
        UsageError: There are.
    """
    people: dict[tuple[str, int], set[int]] = {}
    for address in addresses:
        people.setdefault((address.host, address.port), set()).add(address.person or 0)
    for (host, port), found in people.items():
        if len(found) > 1:
            raise UsageError(
                f"{Address(host, port)} would receive several people as one.",
                "Give every person a port of their own.",
            )
