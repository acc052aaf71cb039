"""The last frame that went to a target, decoded again from its bytes, for people."""

import msgspec

from pose_rig.streaming.inspect.osc_reading import read
from pose_rig.streaming.inspect.vmc_receiver import plain
from pose_rig.tools.terminal.heard_picture import facts, metres
from pose_rig.tools.terminal.watched_rig import last_vmc
from pose_rig.wire.messages import Target

MOST_KEYS = 20


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
