import io
from dataclasses import replace

import msgspec
import pytest

from pose_rig.config import PHONE, CameraConfig, Config
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.page_addresses import print_addresses
from pose_rig.wire.jobs import WebJob
from pose_rig.wire.tokens import Tokens

JOB = WebJob(
    config=Config(view=True), live=True, hosts=("127.0.0.1",), names=("127.0.0.1", "localhost"), port=8443,
    tokens=Tokens("W", "P", "C"), folder="", inputs=(), output="", thumbnails="", phones="",
)  # fmt: skip


def printed(job: WebJob | None) -> str:
    file = io.StringIO()
    print_addresses(job, Console(file=file))
    return file.getvalue()


def test_without_pages_nothing_is_printed() -> None:
    assert printed(None) == ""


def test_the_page_of_this_machine() -> None:
    text = printed(JOB)
    assert "Live page, with buttons: https://127.0.0.1:8443/C/\n" in text
    assert "to watch only: https://127.0.0.1:8443/W/\n" in text
    assert "phone, open" not in text


@pytest.mark.parametrize("view", [True, False])
def test_phones_are_shown_an_address_of_the_network_and_who_reaches_it(view: bool) -> None:
    config = Config(view=view, camera=(CameraConfig(source=PHONE, name="phone1"),))
    names = ("192.0.2.7", "127.0.0.1")
    text = printed(replace(JOB, config=config, hosts=names[::-1], names=names, port=8444))
    assert "On each phone, open https://192.0.2.7:8444/P/\n" in text
    assert ("https://127.0.0.1:8444/C/" in text) is view
    assert "Port 8443 is in use: the pages are on port 8444." in text
    assert "Every device that reaches 192.0.2.7 and has such an address" in text


def test_a_machine_without_a_network_is_named() -> None:
    config = msgspec.structs.replace(JOB.config, camera=(CameraConfig(source=PHONE, name="phone1"),))
    assert "no phone reaches it" in printed(replace(JOB, config=config))
