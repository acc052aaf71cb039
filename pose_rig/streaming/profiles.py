"""What each receiver of the VMC protocol needs of its sender, beyond what all of them get.

All get: one socket for life, datagrams of at most 1400 bytes, parents before children, float32 throughout, OK and T
last and once per frame, the local positions of a real skeleton. That is what EVMC4U, VRM4U and Godot's tracker each
break without, as their sources say (docs/engines.md).
"""

from dataclasses import dataclass
from typing import Literal

Root = Literal["hips", "root"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One receiver.

    Attributes:
        name: Ours for it.
        receiver: Its own name.
        whole: Whether it wants every bone of the humanoid, those that nobody measures at rest, because it takes a bone
            that is missing for one that is lost.
        root: Which bone carries the way through the room. Godot's tracker ignores the root; all others take either.
    """

    name: str
    receiver: str
    whole: bool = False
    root: Root = "hips"


UNITY = Profile("unity", "EVMC4U")
UNREAL = Profile("unreal", "VRM4U")
GODOT = Profile("godot", "Godot XR VMC tracker")
WARUDO = Profile("warudo", "Warudo", whole=True)
VNYAN = Profile("vnyan", "VNyan", whole=True)
VSEEFACE = Profile("vseeface", "VSeeFace", whole=True)
PROFILES: dict[str, Profile] = {profile.name: profile for profile in (UNITY, UNREAL, GODOT, WARUDO, VNYAN, VSEEFACE)}
