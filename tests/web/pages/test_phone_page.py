"""The phone page in Chromium, with its simulated camera and a simulated rig."""

import cv2
import numpy as np
import pytest

from tests.web.pages.chromium import Tab, until
from tests.web.pages.page_server import PageServer

JPEG, KEY = 1, 2


@pytest.fixture(autouse=True)
def page(tab: Tab, rig: PageServer) -> None:
    """Opens the page at the size of a phone."""
    rig.mode, rig.codec, rig.credit, rig.refuse = "solved", "jpeg", 2, None
    tab.resize(390, 844)
    tab.open(rig.address("camera"))
    tab.wait("document.readyState === 'complete' && document.body.className === 'phone'")
    until(lambda: rig.connections == 0)  # the page before may still have sent something
    tab.complaints.clear()
    rig.seen.frames.clear()
    rig.seen.messages.clear()


def start(tab: Tab) -> None:
    tab.run("document.getElementById('start').click()")


def shown(tab: Tab, name: str, words: str) -> None:
    tab.wait(f"document.getElementById('{name}').innerText.includes({words!r})")


def test_it_sends_jpegs_with_their_capture_times(tab: Tab, rig: PageServer) -> None:
    start(tab)
    until(lambda: len(rig.seen.frames) >= 5)
    headers = [head for head, _ in rig.seen.frames]
    kinds, _, rotations, widths, heights, indices, times = zip(*headers, strict=True)
    assert (set(kinds), set(rotations)) == ({JPEG}, {0})
    assert list(indices) == list(range(len(indices)))
    assert all(np.diff(times) > 0)
    assert 0 < times[0] < times[-1] <= tab.run("performance.now()")
    image = cv2.imdecode(np.frombuffer(rig.seen.frames[0][1], np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (heights[0], widths[0], 3)
    assert max(image.shape) <= 1280
    shown(tab, "name", "phone1")
    shown(tab, "state", "Solved")
    hello = next(message for message in rig.seen.messages if message["type"] == "hello")
    assert len(hello["id"]) == 32
    assert hello["size"] == [widths[0], heights[0]]
    own = (rig.address("camera"), rig.address("camera").replace("http:", "ws:"))
    assert [address for address in tab.requests if not address.startswith(own)] == []
    assert tab.complaints == []


def test_its_clock_is_compared_and_its_state_reported(tab: Tab, rig: PageServer) -> None:
    start(tab)
    until(lambda: sum(message["type"] == "clock-result" for message in rig.seen.messages) >= 5)
    results = [message for message in rig.seen.messages if message["type"] == "clock-result"]
    now_ms = tab.run("performance.now()")
    assert all(0 < result["sent"] <= result["received"] <= now_ms for result in results)
    until(lambda: any(message["type"] == "status" for message in rig.seen.messages))
    status = next(message for message in rig.seen.messages if message["type"] == "status")
    assert status.keys() == {"type", "battery", "charging", "fps", "hidden"}


def test_no_more_frames_are_under_way_than_the_rig_takes(tab: Tab, rig: PageServer) -> None:
    rig.credit = 0
    start(tab)
    shown(tab, "name", "phone1")
    until(lambda: sum(message["type"] == "clock-result" for message in rig.seen.messages) >= 5)
    assert rig.seen.frames == []
    rig.say({"type": "credit", "n": 1})  # and one more for each frame that is taken
    until(lambda: len(rig.seen.frames) >= 2)


def test_h264_begins_with_a_key_frame(tab: Tab, rig: PageServer) -> None:
    if not tab.run("'VideoEncoder' in globalThis"):
        pytest.skip("this Chromium has no WebCodecs")
    rig.codec = ""
    start(tab)
    until(lambda: any(message["type"] == "hello" for message in rig.seen.messages))
    if next(message for message in rig.seen.messages if message["type"] == "hello")["codec"] != "h264":
        pytest.skip("this Chromium has no encoder for H.264")
    until(lambda: len(rig.seen.frames) >= 3)
    head, payload = rig.seen.frames[0]
    assert head[0] == KEY
    assert payload[:4] == b"\x00\x00\x00\x01"
    assert [head[0] for head, _ in rig.seen.frames[1:3]] == [KEY + 1, KEY + 1]
    before = len(rig.seen.frames)
    rig.say({"type": "key"})
    until(lambda: KEY in [head[0] for head, _ in rig.seen.frames[before:]])


def test_a_lost_connection_comes_back_by_itself_with_the_same_id(tab: Tab, rig: PageServer) -> None:
    start(tab)
    until(lambda: len(rig.seen.frames) >= 2)
    rig.drop()
    until(lambda: sum(message["type"] == "hello" for message in rig.seen.messages) >= 2)
    rig.seen.frames.clear()
    until(lambda: len(rig.seen.frames) >= 2)
    assert len({message["id"] for message in rig.seen.messages if message["type"] == "hello"}) == 1
    tab.run("document.getElementById('stop').click()")
    assert tab.run("document.getElementById('running').hidden")


def test_the_rig_says_what_to_do(tab: Tab, rig: PageServer) -> None:
    rig.mode = "settled"
    start(tab)
    shown(tab, "state", "Almost there")
    shown(tab, "sentence", "Step back until your whole body is in view.")
    rig.mode = "cold"
    shown(tab, "state", "No person in view")


def test_a_refused_phone_says_why(tab: Tab, rig: PageServer) -> None:
    rig.refuse = ("All places are taken.", "Start the rig with --phones 4.")
    start(tab)
    shown(tab, "problem-title", "All places are taken.")
    shown(tab, "remedy", "Start the rig with --phones 4.")
    rig.refuse = None
    tab.run("document.getElementById('again').click()")
    until(lambda: len(rig.seen.frames) >= 1)


@pytest.mark.parametrize(
    ("name", "title"),
    [("NotAllowedError", "not allowed"), ("NotFoundError", "No camera found"), ("NotReadableError", "in use")],
)
def test_a_camera_that_does_not_open_is_explained(tab: Tab, name: str, title: str) -> None:
    tab.run(f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}') }}; 0")
    start(tab)
    shown(tab, "problem-title", title)
    assert len(tab.run("document.getElementById('remedy').innerText")) > 20


def test_an_address_without_tls_is_explained(tab: Tab, rig: PageServer) -> None:
    script = "Object.defineProperty(window, 'isSecureContext', {value: false})"
    added = tab.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        tab.open(rig.address("camera"))
        shown(tab, "problem-title", "needs https")
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
