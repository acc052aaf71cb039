import io
import re

import cv2
import numpy as np
import pytest

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.qr_code import HALF_BLOCK, qr_code

URL = "https://192.168.178.123:8443/0123456789abcdefghijkl/"


def printed(width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, terminal=True)
    console.width, console.height = width, 50
    console._color_system = 3  # type: ignore[assignment]  # 24-bit colours, whatever the terminal of the tests has
    if (code := qr_code(URL, console)) is not None:
        console.print(code)
    return file.getvalue()


def pixels(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Returns the image that a terminal shows: the colours of text and background are those of two modules."""
    cell = re.compile(r"\x1b\[38;2;(\d+);\d+;\d+;48;2;(\d+);\d+;\d+m([^\x1b]*)\x1b\[0m")
    rows = []
    for line in filter(None, text.split("\n")):
        upper: list[int] = []
        lower: list[int] = []
        for above, below, blocks in cell.findall(line):
            assert set(blocks) == {HALF_BLOCK}
            upper += [int(above)] * len(blocks)
            lower += [int(below)] * len(blocks)
        rows += [upper, lower]
    return np.array(rows, np.uint8)


def test_a_phone_reads_the_code_whatever_the_colours_of_the_terminal() -> None:
    image = pixels(printed(80))
    assert set(image.ravel()) == {0, 255}
    framed = cv2.copyMakeBorder(image, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255,))
    large = cv2.resize(framed, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    assert cv2.QRCodeDetector().detectAndDecode(large)[0] == URL


@pytest.mark.parametrize("width", [20, 32])
def test_a_narrow_terminal_shows_no_code(width: int) -> None:
    assert printed(width) == ""


def test_a_file_gets_no_code() -> None:
    assert qr_code(URL, Console(file=io.StringIO())) is None
