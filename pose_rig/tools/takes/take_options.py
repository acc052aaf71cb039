"""The options of `pose-rig process` and `batch`: how takes are processed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_rig.config import MODELS
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.takes.take import Kind

TAKE_KEYS = Keys(only=("height_m", "people", "detector.model", "detector.people", "fusion.weights", "fusion.provider"))
DETECTOR_KEYS = ("detector.model", "detector.people")


@dataclass(frozen=True, slots=True)
class TakeOptions:
    """How takes are processed.

    Attributes:
        keys: Options that are keys of a rig.toml, of `TAKE_KEYS`.
        fps: As in `imported`, and so ``size`` and ``landmarks``.
        size: ``width,height``.
        landmarks: The landmark set.
        overlay: Whether the overlay video is made.
    """

    keys: ConfigOptions
    fps: float | None = None
    size: str | None = None
    landmarks: str | None = None
    overlay: bool = True

    def given(self) -> dict[str, Any]:
        """Returns the given options by the names with which they are typed."""
        named = self.keys.typed()
        own = {"fps": self.fps, "size": self.size, "landmarks": self.landmarks}
        return {
            **named,
            **{name: value for name, value in own.items() if value is not None},
            **({} if self.overlay else {"no-overlay": True}),
        }

    def for_kind(self, kind: Kind) -> "TakeOptions":
        """Returns the options without those that do not apply to a kind of takes."""
        if kind == "cameras":
            return TakeOptions(self.keys, overlay=self.overlay)
        keys = ConfigOptions({path: value for path, value in self.keys.values.items() if path not in DETECTOR_KEYS})
        if kind == "session":
            return TakeOptions(keys, overlay=self.overlay)
        return TakeOptions(keys, self.fps, self.size, self.landmarks, self.overlay)

    def files(self) -> list[Path]:
        """Returns the files that they name."""
        values = self.keys.values
        paths = (values.get("fusion.weights", ""), values.get("detector.model", ""))
        return [Path(path) for path in paths if path and path not in MODELS and Path(path).is_file()]
