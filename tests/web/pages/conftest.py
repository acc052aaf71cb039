"""A browser and a simulated rig for the tests of the pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.pages.chromium import Tab, chromium
from tests.web.pages.page_server import PageServer, page_server


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Yields a tab of a browser that the tests of a file share."""
    with chromium(tmp_path_factory.mktemp("profile")) as new_tab:
        yield new_tab()


@pytest.fixture(scope="module")
def rig() -> Iterator[PageServer]:
    """Yields a simulated rig that the tests of a file share."""
    with page_server() as server:
        yield server


@pytest.fixture
def screenshot(tmp_path: Path) -> Path:
    """Returns a path for an image."""
    return tmp_path / "page.png"
