"""What anybody says in the VMC protocol, as a picture of the avatar and a list of what receivers would stumble over.

Space: Unity's: left-handed, y up, metres; quaternions are x, y, z, w. Bones are relative to their parents.
"""

import math
from dataclasses import dataclass
from operator import mul

from pose_rig.humanoid.unity_bones import PARENTS
from pose_rig.streaming.inspect.osc_reading import Said, read
from pose_rig.streaming.inspect.vmc_faults import Fault, Faults
from pose_rig.streaming.inspect.vmc_frames import Arrival, FrameWatch

MOST_BYTES = 1500  # of a datagram, as the protocol says
NUMBERS = 7  # of a root or bone: x y z and a quaternion
UNIT = 1e-3  # how far from 1 the length of a quaternion may be; float32 alone is 1e-6 off
CALIBRATED = 3
# so that noise of any kind and length takes no more room than this
MOST_SENDERS, MOST_OTHERS, MOST_BLENDS, MOST_LETTERS = 8, 32, 512, 80
CHANGING_NS = 1_000_000_000  # a sender that was started again is another one, but only once
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Transform:
    """Where a bone is (3) m and how it is turned (4), relative to its parent."""

    position: Numbers
    rotation: Numbers


@dataclass(frozen=True, slots=True)
class Ok:
    """What /VMC/Ext/OK says; what the sender leaves out is None.

    Attributes:
        loaded: 1 = it has a model.
        calibration: 3 = calibrated.
        mode: 0 = normal.
        tracking: 1 = it sees somebody.
    """

    loaded: int
    calibration: int | None = None
    mode: int | None = None
    tracking: int | None = None


class VmcHeard:
    """Takes datagrams; bad ones are counted, never raised, and nothing makes it grow.

    Attributes:
        root: The root, None until it came.
        bones: Known bones, as they came first.
        ok: The last OK.
        t_s: The last T.
        vrm: The path of a model that the sender names; nobody opens it.
        others: Addresses that are not looked at, and how often they came.
        senders: Whoever sent, and when last (ns, monotonic).
        datagrams: How many came.
        octets: Their bytes.
        largest: Bytes of the largest.
        bad: How many were no OSC.
        last_ns: When the last one came.
    """

    def __init__(self) -> None:
        self.root: Transform | None = None
        self.bones: dict[str, Transform] = {}
        self.ok: Ok | None = None
        self.t_s: float | None = None
        self.vrm = ""
        self.others: dict[str, int] = {}
        self.senders: dict[str, int] = {}
        self.datagrams = self.octets = self.largest = self.bad = self.last_ns = 0
        self._blends: set[str] = set()
        self._faults = Faults()
        self._frames = FrameWatch(self._faults)
        self._sender, self._changed_ns = "", -CHANGING_NS

    @property
    def blends(self) -> int:
        """How many blend shapes have come."""
        return len(self._blends)

    @property
    def frames(self) -> int:
        """How many frames have come."""
        return self._frames.count

    def rate_hz(self, now_ns: int) -> float:
        """Returns frames per second of late."""
        return self._frames.rate_hz(now_ns)

    def faults(self) -> list[Fault]:
        """Returns what receivers stumble over."""
        return self._faults.all()

    def take(self, datagram: bytes, t_ns: int, sender: str = "") -> None:
        """Takes a datagram.

        Args:
            datagram: Its bytes, whatever they are.
            t_ns: When it came, monotonic.
            sender: Whom it came from.
        """
        self.datagrams += 1
        self.octets += len(datagram)
        self.largest = max(self.largest, len(datagram))
        self.last_ns = t_ns
        reading = read(datagram)
        if reading.wrong:
            self.bad += 1
            self._faults.note("not OSC", reading.wrong, newest=True)
            return
        if len(datagram) > MOST_BYTES:
            self._faults.note("large datagrams", f"Datagrams of up to {self.largest} bytes", newest=True)
        self._take_sender(sender, t_ns)
        at = Arrival(t_ns, self.datagrams)
        for said in reading.messages:
            self._take(said, at)

    def _take(self, said: Said, at: Arrival) -> None:
        match said.address:
            case "/VMC/Ext/Bone/Pos":
                self._take_bone(said, at)
            case "/VMC/Ext/OK":
                self._frames.ok(at)
                self._take_ok(said)
            case "/VMC/Ext/T":
                self._frames.time(at)
                self._take_time(said)
            case _:
                self._frames.other()
                self._take_other(said)

    def _take_other(self, said: Said) -> None:
        first = plain(said.values[0]) if said.values and isinstance(said.values[0], str) else ""
        match said.address:
            case "/VMC/Ext/Root/Pos":
                if transform := self._transform(said, "root", self.root):
                    self.root = transform
            case "/VMC/Ext/Blend/Val":
                if len(self._blends) < MOST_BLENDS:
                    self._blends.add(first)
            case "/VMC/Ext/VRM":
                self.vrm = first
            case "/VMC/Ext/Blend/Apply":
                return
            case _:
                address = plain(said.address)
                if address in self.others or len(self.others) < MOST_OTHERS:
                    self.others[address] = self.others.get(address, 0) + 1

    def _take_bone(self, said: Said, at: Arrival) -> None:
        name = plain(said.values[0]) if said.values else ""
        if said.tags[:1] == "s" and name not in PARENTS:
            self._faults.note("unknown bones", name)
        elif transform := self._transform(said, name, self.bones.get(name)):
            if name != "Hips" and not any(transform.position):
                self._faults.note("zero positions", name)
            self.bones[name] = transform
            self._frames.bone(name, at)

    def _transform(self, said: Said, name: str, before: Transform | None) -> Transform | None:
        """Returns what a message says of a bone, None if nothing."""
        if said.tags[:1] != "s" or len(said.tags) <= NUMBERS:
            self._faults.note("short messages", plain(said.address))
            return None
        numbers = self._numbers(said, 1, 1 + NUMBERS, "f")
        if numbers is None:
            return None
        rotation = numbers[3:]
        if abs(math.hypot(*rotation) - 1) > UNIT:
            self._faults.note("not normalised", name)
        elif before and sum(map(mul, rotation, before.rotation)) < 0:
            self._faults.note("sign flips", name)
        return Transform(numbers[:3], rotation)

    def _take_ok(self, said: Said) -> None:
        if not said.tags:
            self._faults.note("no arguments", "/VMC/Ext/OK")
            return
        numbers = self._numbers(said, 0, 4, "i")
        if numbers is None:
            return
        self.ok = Ok(*map(int, numbers))
        if self.ok.loaded != 1:
            self._faults.note("not loaded")
        if self.ok.calibration not in (None, CALIBRATED):
            self._faults.note("not calibrated", str(self.ok.calibration), newest=True)

    def _take_time(self, said: Said) -> None:
        if not said.tags:
            self._faults.note("no arguments", "/VMC/Ext/T")
        elif numbers := self._numbers(said, 0, 1, "f"):
            self.t_s = numbers[0]

    def _numbers(self, said: Said, begin: int, end: int, tag: str) -> Numbers | None:
        """Returns arguments as numbers, None if they are none; wrong types are noted, but read."""
        name = plain(said.address).removeprefix("/VMC/Ext/")
        tags = said.tags[begin:end]
        if set(tags) != {tag}:
            self._faults.note("wrong types", f"{name} has {plain(tags)!r} for {tag * len(tags)!r}")
        numbers = []
        for value in said.values[begin:end]:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            if not math.isfinite(value):
                self._faults.note("not finite", name)
                return None
            numbers.append(float(value))
        return tuple(numbers)

    def _take_sender(self, sender: str, t_ns: int) -> None:
        if sender not in self.senders and len(self.senders) == MOST_SENDERS:
            del self.senders[min(self.senders, key=self.senders.__getitem__)]
        self.senders[sender] = t_ns
        if self._sender and sender != self._sender:
            if t_ns - self._changed_ns < CHANGING_NS:
                self._faults.note("several senders", f"{self._sender} and {sender}", newest=True)
            self._changed_ns = t_ns
        self._sender = sender


def plain(said: object) -> str:
    """Returns what a stranger says such that it is safe to print: one line, not long, no control characters."""
    text = "".join(sign if sign.isprintable() else "·" for sign in str(said)[:MOST_LETTERS])
    return text + "…" if len(str(said)) > MOST_LETTERS else text
