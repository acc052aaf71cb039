"""Faults of VMC senders that break receivers.

Where a receiver is named, its source does that (docs/engines.md); the rest follows from the protocol.
"""

from dataclasses import dataclass

MAX_EXAMPLES = 3  # in a sentence
_SENTENCES: dict[str, str] = {
    "not OSC": "{of} Another program sends to this port.",
    "large datagrams": "{of}: networks fragment datagrams above 1500 bytes, and one lost fragment loses the datagram.",
    "wrong types": "Numbers of the wrong type ({of}): EVMC4U ignores the whole message.",
    "no arguments": "{of} without arguments: EVMC4U stops until it is restarted.",
    "short messages": "{of} with too few arguments, or without a bone name: receivers ignore it, or may stop.",
    "not finite": "Numbers that are NaN or infinite ({of}): the avatar may disappear.",
    "unknown bones": "Bones that Unity's humanoid does not have ({of}): receivers ignore them, and some may stop.",
    "zero positions": "Bones at 0, 0, 0 of their parents ({of}): EVMC4U applies positions, and the avatar collapses.",
    "not normalised": "Quaternions that are not of length 1 ({of}): bones may be sheared or scaled.",
    "sign flips": "Quaternions that change sign between frames ({of}): smoothing receivers rotate the long way round.",
    "children first": "Bones before their parents ({of}): receivers that accumulate positions are one frame late.",
    "bones after OK": "Bones after the OK and T of their frame: VRM4U updates on these, so the bones are a frame late.",
    "T too often": "More than one T per frame: VRM4U shows partial frames, and EVMC4U drops packets.",
    "missing bones": "Bones of the previous frame are missing ({of}): lost datagrams, or a sender that omits bones.",
    "several senders": "{of} send alternately: receivers mix them, or follow the newest.",
    "no OK": "No /VMC/Ext/OK: receivers cannot tell whether a person is tracked, and some show nothing.",
    "no T": "No /VMC/Ext/T: receivers cannot tell where a frame ends.",
    "not loaded": "OK reports that the sender has no model loaded: some receivers wait for one.",
    "not calibrated": "OK reports calibration state {of} instead of 3: EVMC4U can hide the avatar until it is 3.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a sender.

    Attributes:
        name: Short name.
        sentence: Cause and consequence.
        count: Number of occurrences.
    """

    name: str
    sentence: str
    count: int


class Faults:
    """Counts faults, and keeps a few examples of each."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def count(self, name: str, example: str = "", *, replace: bool = False) -> None:
        """Counts a fault and keeps an example, with ``replace`` instead of earlier ones."""
        self._counts[name] = self._counts.get(name, 0) + 1
        examples = self._examples.setdefault(name, [])
        if replace:
            examples[:] = [example]
        elif example not in examples and len(examples) <= MAX_EXAMPLES:
            examples.append(example)

    def all(self) -> list[Fault]:
        """Returns the faults that occurred, the most fundamental first."""
        return [
            Fault(name, sentence.format(of=self._examples_of(name)), self._counts[name])
            for name, sentence in _SENTENCES.items()
            if name in self._counts
        ]

    def _examples_of(self, name: str) -> str:
        examples = self._examples[name]
        return ", ".join(examples[:MAX_EXAMPLES]) + (" …" if len(examples) > MAX_EXAMPLES else "")
