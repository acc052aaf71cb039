"""What the documentation shows must work."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import typer

from pose_rig.config import StreamConfig, load
from pose_rig.skeleton import INDEX, JOINT_SET, JOINTS, PARENTS, J
from pose_rig.streaming.outputs import parse_addresses
from pose_rig.tools.cli.app import app
from pose_rig.wire.bus import Sender
from pose_rig.wire.messages import Pose3D
from tests.fusion.fakes import film, ring, walk, write_keypoints
from tests.tools.sessions import sample, write_session

ROOT = Path(__file__).parents[1]


def block(document: str, language: str) -> str:
    """Returns the first code block of a language in a document."""
    match = re.search(rf"```{language}\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    assert match is not None
    return match[1]


def head_pose() -> Pose3D:
    """A pose with the head at 1.62 m."""
    xyz = np.zeros((J, 3), np.float32)
    xyz[INDEX["head"], 1] = 1.62
    return Pose3D(
        index=0, t_ns=77, age_ns=1, person=0, joints=JOINT_SET, xyz=xyz, score=np.ones(J, np.float32),
        residual_px=np.ones(J, np.float32), mode="cold", tracking=1, height_m=1.7, height_assumed=True,
    )  # fmt: skip


def test_the_subscriber_of_the_wire_page_prints_poses() -> None:
    with Sender("tcp://127.0.0.1:0", bind=True) as sender, sending(sender):
        code = block("docs/wire.md", "python").replace("tcp://127.0.0.1:5571", sender.endpoint)
        command = [sys.executable, "-u", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as subscriber:
            assert subscriber.stdout is not None
            line = subscriber.stdout.readline()
            subscriber.kill()
    assert line == "77 cold head at height 1.62 m\n"


@contextmanager
def sending(sender: Sender) -> Iterator[None]:
    """Sends a pose again and again."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.01):
            sender.send(head_pose())

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_python_page_works(tmp_path: Path) -> None:
    write_session(tmp_path / "take.mcap", sample())
    write_keypoints(tmp_path / "keypoints.npz", film(walk(8.0), ring(3)))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text("utf-8"), re.DOTALL)
    code = "\n".join([*blocks, "print(resampled.xyz.shape, speed.shape, good.sum(), elbow.shape)"])
    with Sender("tcp://127.0.0.1:0", bind=True) as sender, sending(sender):
        code = code.replace("tcp://127.0.0.1:5571", sender.endpoint)
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert printed[0].startswith("solved (17, 3) [")
    assert "cold: head at 1.62 m" in printed
    assert "60 poses in 2.0 s, 90% with a person in view" in printed
    assert len([line for line in printed if "solved array('f'" in line]) == 40  # read without us
    assert printed[-1] == "(197, 37, 3) (197, 3) 0 (60, 4)"


def test_the_rig_toml_of_the_cameras_page_loads(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(block("docs/cameras.md", "toml"), "utf-8")
    config = load(path)
    assert [camera.name for camera in config.camera] == ["left", "", ""]
    assert config.camera[2].members == 2


def test_the_stream_table_of_the_engines_page_has_all_keys(tmp_path: Path) -> None:
    text, path = block("docs/engines.md", "toml"), tmp_path / "rig.toml"
    path.write_text(text, "utf-8")
    stream = load(path).stream
    wanted = parse_addresses(stream)
    assert all(wanted.values())
    assert re.findall(r"^(\w+) =", text, re.MULTILINE) == [*StreamConfig.__struct_fields__]


def test_the_commands_of_all_pages_have_the_options_that_are_shown() -> None:
    every = {
        command.name: {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        for command in typer.main.get_group(app).commands.values()
    }
    shown = 0
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")):
        for name, words in re.findall(r"pose-rig ([a-z]+)\b([^`\n#]*)", page.read_text("utf-8")):
            for option in re.findall(r"(?<!\S)--[a-z-]+", words):
                shown += 1
                assert option in every.get(name, ()), f"{page.name}: pose-rig {name} {option}"
    assert shown > 50


def test_the_joints_of_the_frames_page_are_ours() -> None:
    text = (ROOT / "docs/frames.md").read_text("utf-8")
    for joint, name in enumerate(JOINTS):
        parent = f" ({PARENTS[joint]})" if PARENTS[joint] != joint else ""
        assert f"| {joint} {name}{parent} |" in text


def anchors(page: Path) -> set[str]:
    """Returns what GitHub calls the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")):
        for path, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", page.read_text("utf-8")):
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name} links to {path}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


def test_the_readme_is_read_in_a_minute_and_names_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 130
    for page in ROOT.glob("docs/*.md"):
        assert f"](docs/{page.name}" in text, f"README.md does not link to {page.name}"


def test_the_architecture_page_names_files_that_exist_each_once() -> None:
    paths = re.findall(r"`([\w/]+\.py)`", (ROOT / "docs/architecture.md").read_text("utf-8"))
    files = {path.relative_to(ROOT / "pose_rig").as_posix() for path in (ROOT / "pose_rig").rglob("*.py")}
    names = {file.rpartition("/")[2] for file in files}
    assert len(paths) == len(set(paths)) > 25
    assert [path for path in paths if path not in (files if "/" in path else names)] == []
