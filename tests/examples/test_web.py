"""The web page: its parts, and in Chromium without internet against the real server."""

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from pose_rig.skeleton import INDEX
from pose_rig.streaming.address import Address
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.websocket import WebSocketServer
from pose_rig.wire.messages import Refined2D
from tests.streaming.live import live
from tests.streaming.people import ALL, person

PAGE = Path(__file__).parents[2] / "examples" / "web"
SCRIPT = Path(__file__).with_name("watch_page.js")
LONGEST_S = 60.0
SIZES = {"left": (640, 480), "right": (1280, 720)}
SUBJECT = person(seed=12, seconds=0.5)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Does not log."""


@pytest.fixture
def site() -> Iterator[str]:
    """Yields the address of the page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PAGE)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def watch(tmp_path: Path, site: str) -> Callable[..., Any]:
    """Returns ``watch(port, play)``: the page's state after ``play``, which gets the path of the screenshot."""
    node, browser = shutil.which("node"), shutil.which("chromium") or shutil.which("google-chrome")
    folders = [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    if node is None or browser is None:
        pytest.skip("needs Node.js and Chromium")
    if not any((folder / "playwright-core").exists() for folder in folders):
        pytest.skip("needs playwright-core on NODE_PATH: make test-foreign")

    def run(port: int, play: Callable[[Path], None], page: str = f"{site}/") -> Any:
        picture = tmp_path / "page.png"
        address = f"{page}?ws=ws://127.0.0.1:{port}/?axes=rig%26refined=1"
        command = [node, str(SCRIPT), browser, address, str(LONGEST_S), str(picture)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            try:
                play(picture)
            finally:
                picture.with_name("page.png.enough").touch()
            shown, wrong = running.communicate(timeout=LONGEST_S)
        assert running.returncode == 0, wrong[-3000:]
        assert picture.stat().st_size > 5000
        return json.loads(shown.strip().rpartition("\n")[2])

    return run


def posed(sizes: Mapping[str, tuple[int, int]] = SIZES, **more: Any) -> LivePose:
    """Returns a subject with 2D poses."""
    xy = np.stack([np.linspace(10, 630, len(ALL)), np.linspace(20, 470, len(ALL))], -1).astype(np.float32)
    ones = np.ones(len(ALL), np.float32)
    refined = {name: Refined2D(camera=name, index=0, t_ns=0, xy=xy, inlier=ones) for name in sizes}
    return live(SUBJECT, cameras=sizes, refined=refined, height_assumed=True, **more)


def play(server: WebSocketServer, pose: LivePose, picture: Path, more_s: float = 1.0) -> None:
    """Sends a pose until the page shows one, and a while longer."""
    seen, deadline, until = picture.with_name("page.png.seen"), time.monotonic() + LONGEST_S, 0.0
    seen.unlink(missing_ok=True)
    while time.monotonic() < (until or deadline):
        server.send(pose, time.monotonic_ns())
        time.sleep(0.02)
        if not until and seen.exists():
            until = time.monotonic() + more_s


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = re.sub(r"<!--.*?-->", "", (PAGE / "index.html").read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"https?://", text) == []
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert loaded == ["data:,", "three.min.js"]
    script = (PAGE / "three.min.js").read_text("utf-8")
    assert script.startswith(
        "/* three.js 0.187.0 with its OrbitControls, https://threejs.org, MIT licence: see three.LICENSE"
    )
    for name in set(re.findall(r"THREE\.(\w+)", text)) | {"OrbitControls"}:
        assert f"{name}:()=>" in script, f"three.min.js does not export {name}"
    assert "Permission is hereby granted, free of charge" in (PAGE / "three.LICENSE").read_text("utf-8")


@pytest.mark.foreign
def test_it_shows_the_person_and_the_images(watch: Callable[..., Any]) -> None:
    server = WebSocketServer(Address("127.0.0.1", 0))
    try:
        shown = watch(server.port, lambda picture: play(server, posed(), picture))
    finally:
        server.close()
    assert shown["complaints"] == []
    assert shown["asked"] == []
    head = f"{SUBJECT.xyz[0, INDEX['head'], 1]:.2f}"
    assert f"solved, tracking\nage 20 ms\nhead {head} m (body height assumed)" in shown["texts"]
    assert [(view["camera"], view["size"]) for view in shown["views"]] == [("left", [640, 480]), ("right", [1280, 720])]
    for view in shown["views"]:
        assert 630 <= view["right"] < 640
        assert 470 <= view["bottom"] < 480


@pytest.mark.foreign
def test_it_shows_several_people(watch: Callable[..., Any]) -> None:
    one = posed()
    moved = {name: structs.replace(view, xy=view.xy / 2) for name, view in one.refined.items()}
    other = replace(one, person=1, refined=moved, tracking=0)
    server = WebSocketServer(Address("127.0.0.1", 0))
    try:
        shown = watch(server.port, lambda picture: play(server, replace(one, people=(one, other)), picture))
    finally:
        server.close()
    assert shown["complaints"] == []
    head = f"{SUBJECT.xyz[0, INDEX['head'], 1]:.2f}"
    people = f"person 1: head {head} m\nperson 2: head {head} m, lost (body height assumed)"
    assert f"solved, tracking\nage 20 ms\n{people}" in shown["texts"]


@pytest.mark.foreign
def test_portrait_images_keep_their_shape_and_position(watch: Callable[..., Any]) -> None:
    sizes = {
        "left": (1080, 1920),
        "right": (1080, 1920),
        "back": (1920, 1080),
        "top": (1080, 1080),
        "door": (720, 1280),
    }
    server = WebSocketServer(Address("127.0.0.1", 0))
    try:
        shown = watch(server.port, lambda picture: play(server, posed(sizes), picture))
    finally:
        server.close()
    assert {view["camera"]: tuple(view["size"]) for view in shown["views"]} == sizes
    for view in shown["views"]:
        (width, height), on_page = view["size"], view["shown"]
        assert on_page[0] / on_page[1] == pytest.approx(width / height, rel=0.02), view
        assert max(on_page) == pytest.approx(220, abs=2)
        assert view["inside"], view
    places = [view["place"] for view in shown["views"]]
    for place, other in itertools.combinations(places, 2):
        apart = place[2] <= other[0] or other[2] <= place[0] or place[3] <= other[1] or other[3] <= place[1]
        assert apart, (place, other)


@pytest.mark.foreign
def test_it_works_opened_as_a_file(watch: Callable[..., Any]) -> None:
    server = WebSocketServer(Address("127.0.0.1", 0), origins=("null",))
    try:
        page = (PAGE / "index.html").as_uri()
        shown = watch(server.port, lambda picture: play(server, posed(), picture), page)
    finally:
        server.close()
    assert (shown["complaints"], shown["asked"]) == ([], [])
    assert [text for text in shown["texts"] if text.startswith("solved, tracking")]


@pytest.mark.foreign
def test_it_reconnects(watch: Callable[..., Any]) -> None:
    first = WebSocketServer(Address("127.0.0.1", 0))
    port = first.port

    def restart(picture: Path) -> None:
        try:
            play(first, posed(), picture)
        finally:
            first.close()
        time.sleep(0.5)
        second = WebSocketServer(Address("127.0.0.1", port))
        try:
            play(second, posed(mode="cold", tracking=0), picture, more_s=3.0)
        finally:
            second.close()
            time.sleep(0.5)

    shown = watch(port, restart)
    assert [text for text in shown["texts"] if text.startswith("solved, tracking")]
    assert [text for text in shown["texts"] if text.startswith(f"not connected to ws://127.0.0.1:{port}/")]
    assert [text for text in shown["texts"] if text.startswith("cold, no person is tracked\nage 20 ms")]
