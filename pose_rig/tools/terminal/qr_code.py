"""QR codes in a terminal."""

from rich.console import RenderableType
from rich.style import Style
from rich.text import Text

from pose_rig.tools.terminal.console import Console

QUIET_ZONE = 2  # modules around the code; ISO 18004 asks for four, phones need less
HALF_BLOCK = "\u2580"  # its upper half has the colour of the text, its lower half that of the background
DARK, LIGHT = "#000000", "#ffffff"  # given explicitly: the colours of the terminal may be the other way around


def qr_code(text: str, console: Console) -> RenderableType | None:
    """Returns a text as a QR code, two modules a character; None if the terminal is too narrow or has no colours.

    Args:
        text: What the code contains.
        console: Where it is to be printed.
    """
    import segno

    if not console.is_terminal or console.color_system is None or not _has_half_blocks(console):
        return None
    modules = segno.make(text, error="l", micro=False).matrix_iter(border=QUIET_ZONE)
    rows = [[bool(module) for module in row] for row in modules]
    if len(rows[0]) > console.width or len(rows) // 2 + 1 > console.height:
        return None
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    code = Text(no_wrap=True)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            code.append(HALF_BLOCK, Style(color=_colour(above), bgcolor=_colour(below)))
        code.append("\n")
    return code


def _colour(dark: bool) -> str:
    return DARK if dark else LIGHT


def _has_half_blocks(console: Console) -> bool:
    try:
        HALF_BLOCK.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True
