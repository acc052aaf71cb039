"""The tokens of one run, the first path segment of every address of its web pages."""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal, Self

Access = Literal["watch", "camera", "control"]
TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Tokens:
    """Random tokens; whoever knows one may do what it is for, and nothing else.

    Attributes:
        watch: See the live page.
        camera: Be a camera.
        control: See the live page and control the run.
    """

    watch: str = field(repr=False)
    camera: str = field(repr=False)
    control: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        """Returns new tokens."""
        return cls(*(secrets.token_urlsafe(TOKEN_BYTES) for _ in range(3)))

    def access(self, text: str) -> Access | None:
        """Returns what a text gives access to, None if it is no token; takes equally long for every text."""
        given, found = text.encode("utf-8", "replace"), None
        names: tuple[Access, ...] = ("watch", "camera", "control")
        for name in names:
            if hmac.compare_digest(given, str(getattr(self, name)).encode()):
                found = name
        return found
