"""A client of the WebSocket: what it wants, and what waits for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pose_rig.streaming.axes import AXES, RIG, Axes
from pose_rig.streaming.pace import Pace


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants.

    Attributes:
        axes: In which its frames are.
        refined: Whether it wants the 2D poses too.
        rate_hz: Frames per second at most; 0 = all.
    """

    axes: Axes = RIG
    refined: bool = False
    rate_hz: float = 0.0

    def changed(self, asked: Mapping[str, Any]) -> "Wish":
        """Returns the wish with what a client asks for.

        Raises:
            ValueError: It asks for something that there is not.
        """
        if unknown := sorted(asked.keys() - {"axes", "refined", "rate"}):
            raise ValueError(f"There is no {unknown[0]!r} to choose.")
        name, rate, refined = asked.get("axes", self.axes.name), asked.get("rate"), asked.get("refined", self.refined)
        if not isinstance(name, str) or name not in AXES:
            raise ValueError(f"There are no axes {name!r}; known are {', '.join(AXES)}.")
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1000):
            raise ValueError(f"A rate of {rate!r} frames per second cannot be.")
        if not isinstance(refined, bool):
            raise ValueError(f"`refined` is true or false, not {refined!r}.")
        return Wish(AXES[name], refined, self.rate_hz if rate is None else float(rate))

    @classmethod
    def in_address(cls, path: str) -> "Wish":
        """Returns what a client asks for by the address that it connects to.

        Raises:
            ValueError: It asks for something that there is not.
        """
        asked: dict[str, Any] = {key: values[-1] for key, values in parse_qs(urlsplit(path).query).items()}
        if "refined" in asked:
            asked["refined"] = {"1": True, "true": True, "0": False, "false": False}.get(asked["refined"], "")
        if "rate" in asked:
            try:
                asked["rate"] = float(asked["rate"])
            except ValueError:
                raise ValueError(f"A rate of {asked['rate']!r} frames per second cannot be.") from None
        return cls().changed(asked)


class Client:
    """One connection.

    Args:
        wish: What it wants.

    Attributes:
        wish: What it wants now.
    """

    def __init__(self, wish: Wish) -> None:
        self._newest = b"", b""  # schema and frame
        self._schema = b""
        self._filled = asyncio.Event()
        self.want(wish)

    def want(self, wish: Wish) -> None:
        """Notes what it wants from now on."""
        self.wish = wish
        self._pace = Pace(wish.rate_hz) if wish.rate_hz else None

    def offer(self, said: bytes, seen: bytes, now_ns: int) -> None:
        """Puts schema and frame in the place of those that it has not fetched yet."""
        if self._pace is not None:
            if not self._pace.ready(now_ns, new=True):
                return
            self._pace.sent(now_ns, new=True)
        self._newest = said, seen
        self._filled.set()

    async def next(self) -> list[bytes]:
        """Returns what to send it next, as soon as there is something."""
        await self._filled.wait()
        self._filled.clear()
        said, seen = self._newest
        if said == self._schema:
            return [seen]
        self._schema = said
        return [said, seen]
