"""What breaks receivers of the VMC protocol, in plain words.

Where a receiver is named, its source does that (docs/engines.md); the rest follows from the protocol.
"""

from dataclasses import dataclass

SHOWN = 3  # examples in a sentence
_SENTENCES: dict[str, str] = {
    "not OSC": "{of} Another program sends to this port.",
    "large datagrams": "{of}: networks cut up what is larger than 1500, and one lost piece loses all of it.",
    "wrong types": "Numbers of the wrong type ({of}): EVMC4U ignores the whole message.",
    "no arguments": "{of} without arguments: EVMC4U stops until it is started again.",
    "short messages": "{of} with too few arguments, or without the name of a bone: receivers ignore it, or may stop.",
    "not finite": "Numbers that are none ({of}): the avatar may disappear.",
    "unknown bones": "Bones that no humanoid has ({of}): receivers ignore them, and some may stop.",
    "zero positions": "Bones at 0, 0, 0 of their parents ({of}): EVMC4U applies positions, and the avatar collapses.",
    "not normalised": "Quaternions that are not of length 1 ({of}): bones may be sheared or scaled.",
    "sign flips": "Quaternions that change their sign at once ({of}): receivers that smooth turn the bone a long way.",
    "children first": "Bones before their parents ({of}): receivers that add up positions are a frame late.",
    "bones after OK": "Bones after the OK and T of their frame: VRM4U shows a frame with them, so half of it is late.",
    "T too often": "More than one T in a frame: VRM4U shows half frames, and EVMC4U drops what has too many.",
    "missing bones": "Bones that came before are missing ({of}): datagrams are lost, or the sender leaves bones out.",
    "several senders": "{of} send in turns: receivers mix them, or follow the newest.",
    "no OK": "There is no /VMC/Ext/OK: receivers do not know that there is anybody, and some show nothing.",
    "no T": "There is no /VMC/Ext/T: receivers do not know where a frame ends.",
    "not loaded": "OK says that the sender has no model loaded: some receivers wait for one.",
    "not calibrated": "OK says calibration {of} and not 3: EVMC4U can hide the avatar until it is 3.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks a receiver.

    Attributes:
        name: What to call it.
        sentence: What it is and what becomes of it.
        count: How often it was met.
    """

    name: str
    sentence: str
    count: int


class Faults:
    """Counts them, and keeps a few examples of each."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def note(self, name: str, of: str = "", *, newest: bool = False) -> None:
        """Counts a fault.

        Args:
            name: Which.
            of: An example.
            newest: Whether this example takes the place of those before.
        """
        self._counts[name] = self._counts.get(name, 0) + 1
        examples = self._examples.setdefault(name, [])
        if newest:
            examples[:] = [of]
        elif of not in examples and len(examples) <= SHOWN:
            examples.append(of)

    def all(self) -> list[Fault]:
        """Returns those met, what it is about first."""
        return [
            Fault(name, sentence.format(of=self._shown(name)), self._counts[name])
            for name, sentence in _SENTENCES.items()
            if name in self._counts
        ]

    def _shown(self, name: str) -> str:
        examples = self._examples[name]
        return ", ".join(examples[:SHOWN]) + (" …" if len(examples) > SHOWN else "")
