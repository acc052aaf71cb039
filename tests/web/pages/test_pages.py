"""The files of the pages, without a browser."""

import re
from pathlib import Path

import pytest

from tests.web.pages.page_server import PAGES

EXAMPLE = Path(__file__).parents[3] / "examples" / "web"
OURS = sorted(
    path for kind in ("html", "css", "js") for path in PAGES.rglob(f"*.{kind}") if path.parent.name != "vendor"
)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_a_page_loads_nothing_from_elsewhere(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[a-z][\w.-]*\.[a-z]+\S*", path.read_text("utf-8")) == []


@pytest.mark.parametrize("name", ["live.html", "phone.html"])
def test_pages_have_neither_scripts_nor_styles_in_line(name: str) -> None:
    text = (PAGES / name).read_text("utf-8")
    assert re.findall(r"<script(?![^>]* src=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", text) == []
    for address in re.findall(r'(?:src|href)="([^#"]+)"', text):
        assert (PAGES / address).is_file() or address == "root.mobileconfig", address


def test_every_import_exists() -> None:
    for path in OURS:
        for name in re.findall(r'(?:from|import\()\s*"([^"]+)"', path.read_text("utf-8")):
            assert (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_what_others_wrote_comes_with_its_licence() -> None:
    vendor = PAGES / "vendor"
    assert (vendor / "three.min.js").read_bytes() == (EXAMPLE / "three.min.js").read_bytes()
    assert "see three-vrm.LICENSE and three.LICENSE" in (vendor / "three-vrm.min.js").read_text("utf-8")[:300]
    for name, words in {
        "three.LICENSE": "The MIT License",
        "three-vrm.LICENSE": "pixiv Inc.",
        "inter.LICENSE": "SIL Open Font License",
    }.items():
        assert words in (vendor / name).read_text("utf-8")
