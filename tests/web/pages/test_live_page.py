"""The live page in Chromium, with a simulated rig."""

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_rig.humanoid.bones import JOINT_OF
from pose_rig.skeleton import INDEX
from pose_rig.streaming.axes import AXES
from pose_rig.streaming.json_frames import frame, schema
from tests.streaming.live import live
from tests.streaming.vrm_files import model_of, write_vrm
from tests.web.pages.chromium import Tab, until
from tests.web.pages.page_server import NAMES, SUBJECT, PageServer

TEAL = np.array([0x6E, 0x73, 0x0B])  # BGR, of measured joints by day
BLUE = 108  # hue of the second person by day
SIZE = 900, 560
CONNECTED = "document.body.dataset.connection === 'connected'"


@pytest.fixture(autouse=True)
def page(tab: Tab, rig: PageServer) -> None:
    """Opens the page with control, unless it is open already, and looks at the person from the front."""
    rig.mode, rig.tracking, rig.note, rig.recording, rig.people = "solved", 1, "", False, 1
    rig.recorded, rig.no_images = False, {}
    tab.resize(*SIZE)
    if tab.run("location.href") != rig.address("control"):
        tab.open(rig.address("control"))
    tab.wait(f"document.body?.className === 'live' && {CONNECTED}")
    tab.wait("document.getElementById('rate').textContent === '60 /s'")
    tab.run("document.querySelector('[data-view=front]').click()")
    tab.run("document.getElementById('log').replaceChildren()")
    tab.run("document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close())")
    tab.complaints.clear()
    rig.seen.messages.clear()


def text(tab: Tab, name: str) -> str:
    return str(tab.run(f"document.getElementById('{name}').innerText"))


def click(tab: Tab, name: str) -> None:
    tab.run(f"document.getElementById('{name}').click()")


def drop(tab: Tab, data: bytes, name: str) -> None:
    """Drops a file on the page."""
    tab.run(
        "{ const data = new DataTransfer(); data.items.add(new File([Uint8Array.from("
        f"atob('{base64.b64encode(data).decode()}'), (c) => c.charCodeAt())], '{name}'));"
        " dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true})); }"
    )


def teal(tab: Tab) -> int:
    """Returns how many pixels of the room have the hue of measured joints."""
    return pixels(tab, 88)


def pixels(tab: Tab, hue: int) -> int:
    """Returns how many pixels of the room have a hue, by OpenCV's scale of 180."""
    image = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    room = cv2.cvtColor(image[110:430, 370:570], cv2.COLOR_BGR2HSV)
    return int(((abs(room[..., 0].astype(int) - hue) < 6) & (room[..., 1] > 120)).sum())


def test_it_shows_the_rig_and_loads_nothing_from_elsewhere(tab: Tab, rig: PageServer) -> None:
    until(lambda: teal(tab) > 500)
    assert text(tab, "mode") == "Solved"
    assert text(tab, "height") == f"{SUBJECT.height_m:.2f} m assumed"
    cards = tab.run("[...document.querySelectorAll('.card')].map((card) => card.innerText.replace(/\\s+/g, ' '))")
    assert [card.split()[0] for card in cards] == list(NAMES)
    assert "29.7 fps Delay 71 ms Clock as given Agreement 93 %" in cards[0]
    assert "Clock +12 ± 2 ms" in cards[1]
    assert [card.partition("Battery ")[2] for card in cards] == ["", "", "84 %", ""]
    options = tab.run("[...document.getElementById('through').options].map((option) => option.value)")
    assert options == ["", *NAMES]
    own = (rig.address("control"), rig.address("control").replace("http:", "ws:"))
    assert [address for address in tab.requests if not address.startswith((*own, "blob:", "data:"))] == []
    assert tab.complaints == []


def test_without_a_person_nothing_counts_as_measured(tab: Tab, rig: PageServer) -> None:
    until(lambda: teal(tab) > 500)
    rig.tracking = 0
    tab.wait("!document.getElementById('tracking').hidden")
    until(lambda: teal(tab) == 0)


# begins a function that reads the pixels of a thumbnail, from a copy: Chromium warns of reading what is drawn on
THUMBNAIL = (
    "(() => { const copy = Object.assign(document.createElement('canvas'), {width: 320, height: 240});"
    " const context = copy.getContext('2d', {willReadFrequently: true});"
    " context.drawImage(document.querySelector('.card canvas'), 0, 0);"
    " const {data} = context.getImageData(0, 0, 320, 240);"
)


def test_every_person_has_a_figure_in_a_colour_of_their_own(tab: Tab, rig: PageServer) -> None:
    until(lambda: teal(tab) > 500)
    assert pixels(tab, BLUE) == 0
    assert tab.run("document.getElementById('people').hidden")
    rig.people = 2
    until(lambda: pixels(tab, BLUE) > 200 and teal(tab) > 300)
    words = text(tab, "people").replace("\n", " ")
    assert words == f"Person 1 {SUBJECT.height_m:.2f} m Person 2 1.65 m"
    tab.wait(
        THUMBNAIL + " let second = 0; for (let i = 0; i < data.length; i += 4)"
        " second += data[i] < 160 && data[i + 1] < 200 && data[i + 2] > 230; return second > 20; })()"
    )
    click(tab, "set-height")
    assert tab.run("[...document.getElementById('height-person').options].map((one) => one.text).join()") == (
        "Person 1,Person 2"
    )
    tab.run("document.getElementById('height-person').value = '1'")
    tab.run("document.getElementById('height-value').value = '1.6'")
    click(tab, "height-set")
    until(lambda: any(message.get("name") == "height" for message in rig.seen.messages))
    (sent,) = (message for message in rig.seen.messages if message["type"] == "command")
    assert (sent["value"], sent["person"]) == (1.6, 1)
    rig.tracking = 0
    tab.wait("document.getElementById('people').innerText.includes('lost')")
    tab.wait("!document.getElementById('tracking').hidden")
    rig.tracking, rig.people = 1, 1
    until(lambda: pixels(tab, BLUE) == 0 and teal(tab) > 500)
    assert tab.run("document.getElementById('people').hidden")
    assert tab.complaints == []


def test_thumbnails_come_with_both_poses_while_a_reader_can_see_them(tab: Tab, rig: PageServer) -> None:
    pixels = (
        THUMBNAIL + " let raw = 0, refined = 0; for (let i = 0; i < data.length; i += 4) {"
        " raw += data[i] > 230 && data[i + 2] < 130; refined += data[i] < 90 && data[i + 1] > 180; }"
        " return raw > 20 && refined > 100; })()"
    )
    tab.wait(pixels)
    for wanted in (False, True):
        rig.seen.messages.clear()
        click(tab, "strip-toggle")
        until(lambda: {"type": "watch", "cameras": wanted} in rig.seen.messages)  # noqa: B023  (waited for within the turn)


def test_buttons_send_commands_and_answers_are_logged(tab: Tab, rig: PageServer) -> None:
    for name in ("marker", "set-floor", "re-solve", "record"):
        click(tab, name)
    tab.wait("document.getElementById('record').innerText === 'Stop recording'")
    assert re.fullmatch(r"Recording \d+:\d\d", text(tab, "recording"))
    click(tab, "record")
    click(tab, "set-height")
    tab.run("document.getElementById('height-value').value = '9'")
    click(tab, "height-set")
    assert "between 0.5 and 2.5 m" in text(tab, "height-error")
    tab.run("document.getElementById('height-value').value = '182 cm'")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    tab.wait("!document.getElementById('height-dialog').open")
    click(tab, "stop")
    tab.run("document.querySelector('#stop-dialog button[value=cancel]').click()")
    click(tab, "stop")
    tab.run("document.querySelector('#stop-dialog button[value=stop]').click()")
    tab.wait("document.getElementById('log').innerText.includes('stop done')")
    sent = [(message["name"], message["value"]) for message in rig.seen.messages if message["type"] == "command"]
    names = ("marker", "floor", "re-solve", "record", "stop-recording")
    assert sent == [*((name, None) for name in names), ("height", 1.82), ("stop", None)]
    answers = "[...document.querySelectorAll('#log li')].filter((line) => line.innerText.includes(' done')).length"
    tab.wait(f"{answers} === {len(sent)}")
    assert tab.complaints == []


def test_a_watcher_has_no_buttons(tab: Tab, rig: PageServer) -> None:
    assert not tab.run("document.getElementById('actions').hidden")
    tab.open(rig.address("watch"))
    tab.wait(f"{CONNECTED} && document.getElementById('mode').innerText === 'Solved'")
    assert tab.run("document.getElementById('actions').hidden")


def test_a_lost_connection_is_named_and_comes_back(tab: Tab, rig: PageServer) -> None:
    before = rig.seen.live
    shown = "[document.getElementById('lost').hidden, document.getElementById('record').disabled].join()"
    tab.run(  # it may be back before the next look at it
        f"globalThis.shown = []; new MutationObserver(() => globalThis.shown.push({shown}))"
        ".observe(document.getElementById('lost'), {attributes: true}); 0"
    )
    rig.drop()
    tab.wait("globalThis.shown.includes('false,true')")
    tab.wait(f"{CONNECTED} && {shown} === 'true,false'")
    assert rig.seen.live > before


def test_a_replay_has_no_advice_and_no_buttons_but_one_and_says_which_images_are_missing(
    tab: Tab, rig: PageServer
) -> None:
    rig.recorded, rig.no_images = True, {NAMES[0]: "recorded without video"}
    tab.open(rig.address("control") + "?replay")
    tab.wait(f"{CONNECTED} && document.getElementById('connection').innerText === 'Playback'")
    tab.wait("document.querySelectorAll('.card').length === 4")
    shown = "[...document.querySelectorAll('#actions button')].filter((button) => !button.hidden).map((one) => one.id)"
    assert tab.run(shown) == ["stop"]
    click(tab, "stop")
    assert text(tab, "stop-title") == "Stop the playback?"
    click(tab, "stop-not")
    empty = "getComputedStyle(document.querySelectorAll('.card .image')[{}], '::after').content"
    assert tab.run(empty.format(0)) == '"recorded without video"'
    tab.wait(empty.format(1) + " === 'none'")
    cards = "[...document.querySelectorAll('.card')].map((card) => card.innerText.replace(/\\s+/g, ' '))"
    tab.wait(cards + "[1].includes('Clock +12')")
    assert "Frames" not in tab.run(cards)[1]
    tab.wait("document.querySelector('.card .dot').ariaLabel === 'works'")


def test_the_end_of_the_run_is_named_and_final(tab: Tab, rig: PageServer) -> None:
    rig.say({"type": "bye", "text": "The run has ended."})
    tab.wait("document.getElementById('lost').innerText === 'The run has ended.'")
    assert text(tab, "connection") == "Ended"
    assert not tab.run("document.getElementById('lost').hidden")
    assert tab.run("document.getElementById('record').disabled")
    before = rig.seen.live
    tab.run("dispatchEvent(new Event('online'))")  # upon which a lost connection is tried again
    assert tab.run("new Promise((done) => setTimeout(() => done(document.body.dataset.connection), 1000))") == "lost"
    assert rig.seen.live == before
    tab.open(rig.address("watch"))


def test_one_can_look_through_a_camera(tab: Tab) -> None:
    tab.run(f"document.querySelector('.card .image[aria-label=\"Look through {NAMES[1]}\"]').click()")
    assert tab.run("document.getElementById('through').value") == NAMES[1]
    tab.wait("document.getElementById('backdrop').width === 320")  # its images lie behind the room
    tab.run("document.querySelector('[data-view=front]').click()")
    assert tab.run("document.getElementById('through').value") == ""


@pytest.mark.parametrize("version", [0, 1])
def test_a_dropped_avatar_takes_the_place_of_the_skeleton(tab: Tab, tmp_path: Path, version: int) -> None:
    avatar = write_vrm(tmp_path / "me.vrm", model_of(SUBJECT.rest, version)).read_bytes()
    drop(tab, b"nothing", "bad.vrm")
    tab.wait("document.getElementById('log').innerText.includes('bad.vrm cannot be read as a VRM file.')")
    drop(tab, avatar, "me.vrm")
    tab.wait("document.getElementById('avatar').getAttribute('aria-pressed') === 'true'")
    until(lambda: teal(tab) == 0)
    click(tab, "avatar")
    until(lambda: teal(tab) > 500)


def test_the_avatar_is_worn_by_the_person_who_is_chosen(tab: Tab, rig: PageServer, tmp_path: Path) -> None:
    rig.people = 2
    until(lambda: pixels(tab, BLUE) > 200 and teal(tab) > 300)
    assert tab.run("document.getElementById('wearer').hidden")
    drop(tab, write_vrm(tmp_path / "me.vrm", model_of(SUBJECT.rest, 1)).read_bytes(), "me.vrm")
    tab.wait("!document.getElementById('wearer').hidden")
    assert (
        tab.run("[...document.getElementById('wearer').options].map((one) => one.text).join()") == "Person 1,Person 2"
    )
    until(lambda: teal(tab) == 0 and pixels(tab, BLUE) > 200)
    tab.run(
        "{ const choice = document.getElementById('wearer'); choice.value = '1';"
        " choice.dispatchEvent(new Event('change')); }"
    )
    until(lambda: teal(tab) > 300 and pixels(tab, BLUE) == 0)
    rig.people = 1  # the one who drives it has left
    tab.wait("document.getElementById('wearer').hidden")
    until(lambda: teal(tab) == 0)
    click(tab, "avatar")
    until(lambda: teal(tab) > 500)
    assert tab.complaints == []


def test_everyone_leaves_trails_in_the_colour_of_the_person_and_a_lone_person_has_hands_of_another(tab: Tab) -> None:
    joints = SUBJECT.xyz[0].tolist()
    shown = tab.run(
        f"""(async () => {{
        const {{ Trails }} = await import("./live/trails.js");
        const trails = new Trails(), joints = {json.dumps(joints)}, found = [];
        trails.paint({{ teal: "#00ff00", "person-2": "#0000ff", amber: "#ff0000" }});
        trails.build({{ joints: {json.dumps(list(INDEX))} }});
        const add = (people, t_ns) => {{
            trails.update(people.map((person) => ({{ person, joints }})), t_ns);
            const colours = (one) => one.children.map((line) => line.material.color.getHexString());
            found.push(trails.group.children.map(colours));
        }};
        add([0], 0); add([0, 1], 1e7); add([1], 2e7); add([0], 1e9);
        return found;
        }})()"""
    )
    red, green, blue = "ff0000", "00ff00", "0000ff"
    alone = [[red, red, green, green, green]]
    assert shown == [alone, [[green] * 5, [blue] * 5], [[red, red, blue, blue, blue]], alone]


@pytest.mark.parametrize("version", [0, 1])
def test_an_avatar_with_the_bones_of_the_person_takes_their_pose(tab: Tab, tmp_path: Path, version: int) -> None:
    avatar = write_vrm(tmp_path / "me.vrm", model_of(SUBJECT.rest, version, seed=3)).read_bytes()
    axes, pose = AXES["rig"], live(SUBJECT, 200)
    joints = [bone[0].lower() + bone[1:] for bone in JOINT_OF]
    shown = tab.run(
        f"""(async () => {{
        const {{ Avatar }} = await import("./live/avatar.js");
        const data = Uint8Array.from(atob("{base64.b64encode(avatar).decode()}"), (c) => c.charCodeAt());
        const avatar = new Avatar();
        avatar.build({schema(pose, axes).decode()});
        await avatar.load(new File([data], "me.vrm"));
        avatar.update({frame(pose, axes).decode()}, 0);
        avatar.group.updateMatrixWorld(true);
        const {{ humanoid }} = avatar.vrm;
        return {json.dumps(joints)}.map((bone) =>
            new THREE.Vector3().setFromMatrixPosition(humanoid.getRawBoneNode(bone).matrixWorld).toArray());
        }})()"""
    )
    wanted = SUBJECT.xyz[200, [INDEX[joint] for joint in JOINT_OF.values()]]
    assert np.abs(np.array(shown) - wanted).max() < 0.002


@pytest.mark.parametrize("dark", [False, True])
def test_words_have_enough_contrast(tab: Tab, dark: bool) -> None:
    tab.resize(*SIZE, dark=dark)
    tab.wait(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
    colours = tab.run(
        "Object.fromEntries(['ink', 'faint', 'surface', 'ground', 'sunken', 'teal', 'teal-ink', 'teal-soft',"
        " 'amber-ink', 'amber-soft', 'danger', 'danger-ink', 'danger-soft'].map((name) => [name,"
        " getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()]))"
    )

    def light(name: str) -> float:
        parts = [int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    pairs = [(word, ground) for word in ("ink", "faint") for ground in ("surface", "ground", "sunken")]
    pairs += [("teal", "surface"), ("danger", "surface"), ("teal-ink", "teal"), ("danger-ink", "danger")]
    pairs += [("teal", "teal-soft"), ("amber-ink", "amber-soft"), ("danger", "danger-soft")]
    for pair in pairs:
        low, high = sorted(map(light, pair))
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def test_it_fits_a_phone(tab: Tab) -> None:
    tab.resize(390, 844)
    tab.wait("innerWidth === 390")
    assert tab.run("document.documentElement.scrollWidth") <= 390
    small = (
        "[...document.querySelectorAll('button')].filter((button) => button.offsetHeight && button.offsetHeight < 28)"
        ".map((button) => button.outerHTML)"
    )
    assert tab.run(small) == []
    nameless = (
        "[...document.querySelectorAll('button')].filter((button) => button.offsetHeight && !button.innerText.trim()"
        " && !button.ariaLabel).map((button) => button.outerHTML)"
    )
    assert tab.run(nameless) == []


def test_without_webgl_and_storage_it_still_shows_the_rig(tab: Tab, rig: PageServer) -> None:
    script = (
        "HTMLCanvasElement.prototype.getContext = new Proxy(HTMLCanvasElement.prototype.getContext, {apply: (get,"
        " canvas, args) => args[0].startsWith('webgl') ? null : Reflect.apply(get, canvas, args)});"
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError'); }});"
    )
    added = tab.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        tab.open(rig.address("watch"))
        tab.wait(f"{CONNECTED} && document.getElementById('rate').innerText === '60 /s'")
        assert "cannot draw the room" in text(tab, "flat")
        assert tab.run("document.querySelectorAll('.card').length") == len(NAMES)
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
