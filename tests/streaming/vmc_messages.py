"""Datagrams of the VMC protocol as another program would build them, well or badly."""

from collections.abc import Sequence

from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

FRAME_NS = 16_666_667
NAMES = ("Hips", "Spine", "Chest", "Neck", "Head", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot")
NO_TURN = (0.0, 0.0, 0.0, 1.0)


def message(address: str, *values: object, types: str = "") -> OscMessage:
    """Returns a message; the types are those of Python unless they are given."""
    builder = OscMessageBuilder(address)
    for value, type_ in zip(values, types or "-" * len(values), strict=True):
        builder.add_arg(value, None if type_ == "-" else type_)  # type: ignore[arg-type]
    return builder.build()


def bundle(*parts: OscMessage | OscBundle) -> OscBundle:
    builder = OscBundleBuilder(IMMEDIATELY)
    for part in parts:
        builder.add_content(part)  # type: ignore[no-untyped-call, unused-ignore]
    return builder.build()


def bone(
    name: str, position: Sequence[float] = (0.0, 0.1, 0.0), rotation: Sequence[float] = NO_TURN, types: str = ""
) -> OscMessage:
    return message("/VMC/Ext/Bone/Pos", name, *position, *rotation, types=types)


def root() -> OscMessage:
    return message("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, *NO_TURN)


def ok(*values: int) -> OscMessage:
    return message("/VMC/Ext/OK", *(values or (1, 3, 0, 1)))


def time(t_s: float) -> OscMessage:
    return message("/VMC/Ext/T", t_s)


def bones(names: Sequence[str] = NAMES) -> OscBundle:
    """Returns the root and bones, those that are named, upright and 10 cm long; the hips are 1 m high."""
    return bundle(root(), *(bone(name, (0.0, 1.0 if name == "Hips" else 0.1, 0.0)) for name in names))


def frame(i: int, names: Sequence[str] = NAMES) -> list[bytes]:
    """Returns a frame that no receiver stumbles over."""
    return [bones(names).dgram, bundle(ok(), time(i * FRAME_NS * 1e-9)).dgram]
