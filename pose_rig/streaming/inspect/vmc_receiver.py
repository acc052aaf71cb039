"""A VMC receiver that decodes the stream of any program and lists its faults.

Space: Unity's: left-handed, y up, metres; quaternions are x, y, z, w. Bones are relative to their parents.
"""

import math
from dataclasses import dataclass
from operator import mul

from pose_rig.humanoid.bones import UNITY_PARENT
from pose_rig.streaming.inspect.osc_decoder import OscMessage, decode
from pose_rig.streaming.inspect.vmc_faults import Fault, Faults
from pose_rig.streaming.inspect.vmc_frames import Arrival, FrameChecker
from pose_rig.streaming.vmc import CALIBRATED, TRANSFORM_FLOATS

MAX_VMC_DATAGRAM_BYTES = 1500  # of the protocol
NORM_TOLERANCE = 1e-3  # of a quaternion; float32 rounding is 1e-6
# limits that keep memory constant under arbitrary input
MAX_SENDERS, MAX_OTHERS, MAX_BLENDS, MAX_CHARACTERS = 8, 32, 512, 80
SENDER_CHANGE_NS = 1_000_000_000  # a restarted sender has another address, but only once
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Transform:
    """Position (3) m and rotation (4) of a bone, relative to its parent."""

    position: Numbers
    rotation: Numbers


@dataclass(frozen=True, slots=True)
class Ok:
    """Arguments of /VMC/Ext/OK; None where the sender omits them.

    Attributes:
        loaded: 1 = a model is loaded.
        calibration: 3 = calibrated.
        mode: 0 = normal.
        tracking: 1 = a person is tracked.
    """

    loaded: int
    calibration: int | None = None
    mode: int | None = None
    tracking: int | None = None


class VmcReceiver:
    """Decodes datagrams. Malformed ones are counted, never raised, and memory stays bounded.

    Attributes:
        root: Last root; None before the first.
        bones: Last transform of each known bone, in order of first arrival.
        ok: Last OK.
        t_s: Last T.
        vrm: Path of a model that the sender names; it is never opened.
        others: Other addresses and how often they arrived.
        senders: Addresses of senders, and their last arrival (ns, monotonic).
        datagrams: Number of datagrams.
        largest: Bytes of the largest datagram.
        bad: Number of datagrams that were not OSC.
        last_ns: Arrival of the last datagram.
    """

    def __init__(self) -> None:
        self.root: Transform | None = None
        self.bones: dict[str, Transform] = {}
        self.ok: Ok | None = None
        self.t_s: float | None = None
        self.vrm = ""
        self.others: dict[str, int] = {}
        self.senders: dict[str, int] = {}
        self.datagrams = self.largest = self.bad = self.last_ns = 0
        self._blends: set[str] = set()
        self._faults = Faults()
        self._frames = FrameChecker(self._faults)
        self._sender, self._sender_changed_ns = "", -SENDER_CHANGE_NS

    @property
    def blends(self) -> int:
        """Number of blend shapes."""
        return len(self._blends)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self._frames.count

    def rate_hz(self, now_ns: int) -> float:
        """Returns recent frames per second."""
        return self._frames.rate_hz(now_ns)

    def faults(self) -> list[Fault]:
        """Returns the faults of the stream."""
        return self._faults.all()

    def add(self, datagram: bytes, t_ns: int, sender: str = "") -> None:
        """Decodes a datagram.

        Args:
            datagram: Its bytes, whatever they are.
            t_ns: Arrival, monotonic.
            sender: Address of the sender.
        """
        self.datagrams += 1
        self.largest = max(self.largest, len(datagram))
        self.last_ns = t_ns
        decoded = decode(datagram)
        if decoded.error:
            self.bad += 1
            self._faults.count("not OSC", decoded.error, replace=True)
            return
        if len(datagram) > MAX_VMC_DATAGRAM_BYTES:
            self._faults.count("large datagrams", f"Datagrams of up to {self.largest} bytes", replace=True)
        self._add_sender(sender, t_ns)
        at = Arrival(t_ns, self.datagrams)
        for message in decoded.messages:
            self._add_message(message, at)

    def _add_message(self, message: OscMessage, at: Arrival) -> None:
        match message.address:
            case "/VMC/Ext/Bone/Pos":
                self._add_bone(message, at)
            case "/VMC/Ext/OK":
                self._frames.add_ok(at)
                self._add_ok(message)
            case "/VMC/Ext/T":
                self._frames.add_time(at)
                self._add_time(message)
            case _:
                self._frames.add_other()
                self._add_other(message)

    def _add_other(self, message: OscMessage) -> None:
        first = printable(message.values[0]) if message.values and isinstance(message.values[0], str) else ""
        match message.address:
            case "/VMC/Ext/Root/Pos":
                if transform := self._transform(message, "root", self.root):
                    self.root = transform
            case "/VMC/Ext/Blend/Val":
                if len(self._blends) < MAX_BLENDS:
                    self._blends.add(first)
            case "/VMC/Ext/VRM":
                self.vrm = first
            case "/VMC/Ext/Blend/Apply":
                return
            case _:
                address = printable(message.address)
                if address in self.others or len(self.others) < MAX_OTHERS:
                    self.others[address] = self.others.get(address, 0) + 1

    def _add_bone(self, message: OscMessage, at: Arrival) -> None:
        name = printable(message.values[0]) if message.values else ""
        if message.tags[:1] == "s" and name not in UNITY_PARENT:
            self._faults.count("unknown bones", name)
        elif transform := self._transform(message, name, self.bones.get(name)):
            if name != "Hips" and not any(transform.position):
                self._faults.count("zero positions", name)
            self.bones[name] = transform
            self._frames.add_bone(name, at)

    def _transform(self, message: OscMessage, name: str, previous: Transform | None) -> Transform | None:
        """Returns the transform of a bone message; None if it is malformed."""
        if message.tags[:1] != "s" or len(message.tags) <= TRANSFORM_FLOATS:
            self._faults.count("short messages", printable(message.address))
            return None
        numbers = self._numbers(message, 1, 1 + TRANSFORM_FLOATS, "f")
        if numbers is None:
            return None
        rotation = numbers[3:]
        if abs(math.hypot(*rotation) - 1) > NORM_TOLERANCE:
            self._faults.count("not normalised", name)
        elif previous and sum(map(mul, rotation, previous.rotation)) < 0:
            self._faults.count("sign flips", name)
        return Transform(numbers[:3], rotation)

    def _add_ok(self, message: OscMessage) -> None:
        if not message.tags:
            self._faults.count("no arguments", "/VMC/Ext/OK")
            return
        numbers = self._numbers(message, 0, 4, "i")
        if numbers is None:
            return
        self.ok = Ok(*map(int, numbers))
        if self.ok.loaded != 1:
            self._faults.count("not loaded")
        if self.ok.calibration not in (None, CALIBRATED):
            self._faults.count("not calibrated", str(self.ok.calibration), replace=True)

    def _add_time(self, message: OscMessage) -> None:
        if not message.tags:
            self._faults.count("no arguments", "/VMC/Ext/T")
        elif numbers := self._numbers(message, 0, 1, "f"):
            self.t_s = numbers[0]

    def _numbers(self, message: OscMessage, begin: int, end: int, tag: str) -> Numbers | None:
        """Returns arguments as numbers, None if they are not; wrong types are counted, but converted."""
        name = printable(message.address).removeprefix("/VMC/Ext/")
        tags = message.tags[begin:end]
        if set(tags) != {tag}:
            self._faults.count("wrong types", f"{name} has {printable(tags)!r} for {tag * len(tags)!r}")
        numbers = []
        for value in message.values[begin:end]:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            if not math.isfinite(value):
                self._faults.count("not finite", name)
                return None
            numbers.append(float(value))
        return tuple(numbers)

    def _add_sender(self, sender: str, t_ns: int) -> None:
        if sender not in self.senders and len(self.senders) == MAX_SENDERS:
            del self.senders[min(self.senders, key=self.senders.__getitem__)]
        self.senders[sender] = t_ns
        if self._sender and sender != self._sender:
            if t_ns - self._sender_changed_ns < SENDER_CHANGE_NS:
                self._faults.count("several senders", f"{self._sender} and {sender}", replace=True)
            self._sender_changed_ns = t_ns
        self._sender = sender


def printable(value: object) -> str:
    """Returns the text of a received value that is safe to print: one short line without control characters."""
    text = "".join(character if character.isprintable() else "·" for character in str(value)[:MAX_CHARACTERS])
    return text + "…" if len(str(value)) > MAX_CHARACTERS else text
