"""What was heard in the VMC protocol, for people."""

import math
from collections.abc import Iterable

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pose_rig.streaming.inspect.osc_reading import read
from pose_rig.streaming.inspect.vmc_receiver import Transform, VmcHeard, plain
from pose_rig.streaming.vrchat import euler_deg
from pose_rig.wire.messages import Target

SHOWN = (
    "Hips", "Spine", "Chest", "Head", "LeftUpperArm", "LeftLowerArm", "RightUpperArm", "RightLowerArm",
    "LeftUpperLeg", "LeftLowerLeg", "RightUpperLeg", "RightLowerLeg",
)  # fmt: skip
FAULTS_SHOWN = 8
MOST_KEYS = 20
RECENT_NS = 2_000_000_000
SILENT_NS = 1_000_000_000


def facts(heard: VmcHeard) -> list[str]:
    """Returns what the last frame says, in short."""
    said = [ok_text(heard)]
    if heard.root:
        said.append(f"root {metres(heard.root.position)}")
    if hips := heard.bones.get("Hips"):
        said.append(f"hips {metres(hips.position)}")
    said.append(f"{len(heard.bones)} bones")
    if heard.blends:
        said.append(f"{heard.blends} blend shapes")
    return said


def ok_text(heard: VmcHeard) -> str:
    """Returns what the sender says of itself."""
    ok = heard.ok
    if ok is None:
        return "no OK"
    words = ["loaded" if ok.loaded == 1 else "nothing loaded"]
    if ok.calibration is not None:
        words.append("calibrated" if ok.calibration == 3 else f"calibration {ok.calibration}")
    if ok.tracking is not None:
        words.append("somebody seen" if ok.tracking == 1 else "nobody seen")
    numbers = (ok.loaded, ok.calibration, ok.mode, ok.tracking)
    return f"OK {' '.join(str(number) for number in numbers if number is not None)} ({', '.join(words)})"


def metres(position: Iterable[float]) -> str:
    """Returns a place in words."""
    return " ".join(f"{round(value, 2) + 0.0:.2f}" for value in position) + " m"


def speed(heard: VmcHeard, now_ns: int) -> str:
    """Returns how fast frames come and from whom."""
    if now_ns - heard.last_ns > SILENT_NS:
        return f"silent for {(now_ns - heard.last_ns) / 1e9:.0f} s"
    senders = [sender for sender, last_ns in heard.senders.items() if now_ns - last_ns < RECENT_NS]
    return f"{heard.rate_hz(now_ns):.1f} Hz" + (f" from {', '.join(senders)}" if senders else "")


def fault_lines(heard: VmcHeard) -> list[str]:
    """Returns what receivers stumble over, a sentence each."""
    return [f"{fault.name} ×{fault.count}: {fault.sentence}" for fault in heard.faults()]


def all_well(heard: VmcHeard) -> str:
    """Returns what to say where there are no faults."""
    return "No receiver that we know stumbles over this." if heard.bones else "No bones have come."


def picture(heard: VmcHeard, now_ns: int, *, all_bones: bool) -> RenderableType:
    """Returns a table of the bones, between how it comes and what is wrong with it."""
    frames = f"{heard.frames} frames, {heard.datagrams} datagrams of at most {heard.largest} bytes"
    parts: list[RenderableType] = [Text(f"{speed(heard, now_ns)}   {frames}"), Text("   ".join(facts(heard)))]
    if heard.t_s is not None:
        parts.append(Text(f"T {heard.t_s:.2f} s", style="dim"))
    if heard.vrm:
        parts.append(Text(f"The sender names a model, which is not opened: {heard.vrm}", style="dim"))
    names = tuple(heard.bones) if all_bones else tuple(name for name in SHOWN if name in heard.bones)
    if names:
        parts.append(_bones(heard, names))
    if heard.others:
        others = ", ".join(f"{address} ×{count}" for address, count in list(heard.others.items())[:6])
        parts.append(Text(f"Not looked at: {others}", style="dim"))
    wrong = fault_lines(heard)
    parts += [Text(line, style="yellow") for line in wrong[:FAULTS_SHOWN]]
    if not wrong:
        parts.append(Text(all_well(heard), style="green"))
    return Group(*parts)


def _bones(heard: VmcHeard, names: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")  # fits 80 columns
    table.add_column("bone", no_wrap=True)
    for header in ("x m", "y m", "z m", "x °", "y °", "z °"):
        table.add_column(header, justify="right", no_wrap=True, min_width=7)
    for name in names:
        table.add_row(name, *_cells(heard.bones[name]))
    return table


def _cells(bone: Transform) -> list[str]:
    size = max(math.hypot(*bone.rotation), 1e-9)
    x, y, z, w = (number / size for number in bone.rotation)
    return [f"{value:.3f}" for value in bone.position] + [f"{value + 0.0:.1f}" for value in euler_deg(x, y, z, w)]


def last_vmc(target: Target) -> VmcHeard:
    """Returns the last frame as a receiver of VMC would hear it."""
    heard = VmcHeard()
    for datagram in target.last:
        heard.take(datagram, 0)
    return heard


def decoded(target: Target) -> list[str]:
    """Returns the frame in a few lines; none if nothing is kept of it."""
    if not target.last:
        return []
    if target.kind == "vmc":
        return ["   ".join(facts(last_vmc(target)))]
    if target.kind == "vrchat":
        return _trackers(target.last)
    return [_json(data) for data in target.last]


def _trackers(datagrams: tuple[bytes, ...]) -> list[str]:
    """Returns where VRChat's trackers are."""
    places = []
    for datagram in datagrams:
        reading = read(datagram)
        if reading.wrong:
            return [reading.wrong]
        for said in reading.messages:
            *_, name, kind = said.address.split("/")
            if kind == "position" and said.tags == "fff":
                places.append(f"{name}: {metres(value for value in said.values if isinstance(value, float))}")
    return ["   ".join(places)]


def _json(data: bytes) -> str:
    try:
        said = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"no JSON: {error}"
    kind, mode = plain(said.get("type")), plain(said.get("mode"))
    return f"{kind}, mode {mode}: {', '.join(plain(key) for key in list(said)[:MOST_KEYS])}"
