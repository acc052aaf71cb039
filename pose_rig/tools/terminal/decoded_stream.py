"""Streams to engines, decoded from their bytes and formatted for a terminal."""

import math
from collections.abc import Iterable

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pose_rig.streaming.inspect.osc_decoder import decode
from pose_rig.streaming.inspect.vmc_receiver import Transform, VmcReceiver, printable
from pose_rig.streaming.vrchat import euler_deg
from pose_rig.tools.terminal.console import plain_table
from pose_rig.wire.messages import Target

MAIN_BONES = (
    "Hips", "Spine", "Chest", "Head", "LeftUpperArm", "LeftLowerArm", "RightUpperArm", "RightLowerArm",
    "LeftUpperLeg", "LeftLowerLeg", "RightUpperLeg", "RightLowerLeg",
)  # fmt: skip
MAX_FAULTS = 8
MAX_ADDRESSES = 6
MAX_KEYS = 20
SENDER_TIMEOUT_NS = 2_000_000_000
RECEIVE_TIMEOUT_NS = 1_000_000_000


def decoded_frame(target: Target) -> list[str]:
    """Returns the last frame that was sent to a target, in lines; empty if it was not kept."""
    if not target.last:
        return []
    if target.kind == "vmc":
        return ["   ".join(vmc_facts(last_vmc(target)))]
    if target.kind == "vrchat":
        return [_trackers(target.last)]
    return [_json_keys(data) for data in target.last]


def last_vmc(target: Target) -> VmcReceiver:
    """Returns the last frame that was sent to a target as a VMC receiver decodes it."""
    received = VmcReceiver()
    for datagram in target.last:
        received.add(datagram, 0)
    return received


def vmc_facts(received: VmcReceiver) -> list[str]:
    """Returns the content of the last frame in short."""
    facts = [_ok_text(received)]
    if received.root:
        facts.append(f"root {_position(received.root.position)}")
    if hips := received.bones.get("Hips"):
        facts.append(f"hips {_position(hips.position)}")
    facts.append(f"{len(received.bones)} bones")
    if received.blends:
        facts.append(f"{received.blends} blend shapes")
    return facts


def rate_text(received: VmcReceiver, now_ns: int) -> str:
    """Returns the frame rate and the senders."""
    if now_ns - received.last_ns > RECEIVE_TIMEOUT_NS:
        return f"nothing for {(now_ns - received.last_ns) / 1e9:.0f} s"
    senders = [sender for sender, last_ns in received.senders.items() if now_ns - last_ns < SENDER_TIMEOUT_NS]
    return f"{received.rate_hz(now_ns):.1f} Hz" + (f" from {', '.join(senders)}" if senders else "")


def fault_lines(received: VmcReceiver) -> list[str]:
    """Returns what known receivers cannot handle, one sentence each."""
    return [f"{fault.name} ×{fault.count}: {fault.sentence}" for fault in received.faults()]


def no_fault_text(received: VmcReceiver) -> str:
    """Returns the result for a stream without faults."""
    return "No known receiver has a problem with this stream." if received.bones else "No bones were received."


def render_vmc(received: VmcReceiver, now_ns: int, *, all_bones: bool) -> RenderableType:
    """Returns a received VMC stream for a terminal: rate, bones, faults."""
    frames = f"{received.frames} frames, {received.datagrams} datagrams of at most {received.largest} bytes"
    parts: list[RenderableType] = [
        Text(f"{rate_text(received, now_ns)}   {frames}"),
        Text("   ".join(vmc_facts(received))),
    ]
    if received.t_s is not None:
        parts.append(Text(f"T {received.t_s:.2f} s", style="dim"))
    if received.vrm:
        parts.append(Text(f"The sender names a model, which is not opened: {received.vrm}", style="dim"))
    names = tuple(received.bones) if all_bones else tuple(name for name in MAIN_BONES if name in received.bones)
    if names:
        parts.append(_bone_table(received, names))
    if received.others:
        others = ", ".join(f"{address} ×{count}" for address, count in list(received.others.items())[:MAX_ADDRESSES])
        parts.append(Text(f"Ignored: {others}", style="dim"))
    faults = fault_lines(received)
    parts += [Text(line, style="yellow") for line in faults[:MAX_FAULTS]]
    if not faults:
        parts.append(Text(no_fault_text(received), style="green"))
    return Group(*parts)


def _ok_text(received: VmcReceiver) -> str:
    """Returns the state that the sender reports in /VMC/Ext/OK."""
    ok = received.ok
    if ok is None:
        return "no OK"
    words = ["loaded" if ok.loaded == 1 else "nothing loaded"]
    if ok.calibration is not None:
        words.append("calibrated" if ok.calibration == 3 else f"calibration {ok.calibration}")
    if ok.tracking is not None:
        words.append("tracking" if ok.tracking == 1 else "not tracking")
    numbers = (ok.loaded, ok.calibration, ok.mode, ok.tracking)
    return f"OK {' '.join(str(number) for number in numbers if number is not None)} ({', '.join(words)})"


def _position(position_m: Iterable[float]) -> str:
    return " ".join(f"{round(value, 2) + 0.0:.2f}" for value in position_m) + " m"  # + 0.0: no −0.00


def _bone_table(received: VmcReceiver, names: tuple[str, ...]) -> Table:
    table = plain_table(("bone",), ("x m", "y m", "z m", "x °", "y °", "z °"))
    for column in table.columns[1:]:
        column.min_width = 7
    for name in names:
        table.add_row(name, *_bone_cells(received.bones[name]))
    return table


def _bone_cells(bone: Transform) -> list[str]:
    size = max(math.hypot(*bone.rotation), 1e-9)
    x, y, z, w = (number / size for number in bone.rotation)
    return [f"{value:.3f}" for value in bone.position] + [f"{value + 0.0:.1f}" for value in euler_deg(x, y, z, w)]


def _trackers(datagrams: tuple[bytes, ...]) -> str:
    """Returns the positions of VRChat's trackers."""
    positions = []
    for datagram in datagrams:
        reading = decode(datagram)
        if reading.error:
            return reading.error
        for message in reading.messages:
            *_, name, kind = message.address.split("/")
            if kind == "position" and message.tags == "fff":
                positions.append(f"{name}: {_position(v for v in message.values if isinstance(v, float))}")
    return "   ".join(positions)


def _json_keys(data: bytes) -> str:
    try:
        frame = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"no JSON: {error}"
    kind, mode = printable(frame.get("type")), printable(frame.get("mode"))
    return f"{kind}, mode {mode}: {', '.join(printable(key) for key in list(frame)[:MAX_KEYS])}"
