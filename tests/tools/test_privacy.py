"""A run opens no connection to other machines: all system calls are traced."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.errors import AssetError

FRAMES = 20
LONG_S = 20.0  # ONNX Runtime reports after ten seconds, if it does
QUIETENING = ("CI", "ORT_DISABLE_TELEMETRY")  # what keeps libraries from reporting on build servers
CALLS = "connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")


def strangers(trace: str) -> set[str]:
    """Returns the addresses in the output of strace that are not loopback."""
    addresses = {four or six for four, six in ADDRESS.findall(trace)}
    return {address for address in addresses if not LOOPBACK.match(address)}


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None or subprocess.run([found, "-f", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs strace, and the right to trace: apt-get install strace")
    return found


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two short clips of a man, cut from the demo."""
    try:
        whole = demo_clip(lambda text: None)
        detector_model("full", lambda text: None)
    except AssetError as error:
        pytest.skip(str(error))
    cut = []
    for path in whole[:2]:
        cut.append(tmp_path_factory.mktemp("clips") / path.name)
        reader = cv2.VideoCapture(str(path))
        writer = cv2.VideoWriter(str(cut[-1]), cv2.VideoWriter.fourcc(*"mp4v"), 60, (540, 960))
        for _ in range(FRAMES):
            writer.write(cv2.resize(reader.read()[1], (540, 960)))
        writer.release()
        reader.release()
    return cut


def test_a_name_server_is_foreign_and_loopback_is_not() -> None:
    trace = (
        'connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.53")}, 16) = 0\n'
        'connect(6, {sa_family=AF_INET, sin_port=htons(5571), sin_addr=inet_addr("127.0.0.1")}, 16) = 0\n'
        "connect(7, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), "
        'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 ENETUNREACH\n'
        'connect(8, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0\n'
    )
    assert strangers(trace) == {"192.0.2.53", "2001:db8::1"}


@pytest.mark.network
def test_a_run_connects_only_to_itself(strace: str, clips: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "connections"
    run = [
        sys.executable, "-m", "pose_rig", "run", "--cams", ",".join((*map(str, clips), "sim")), "--headless",
        "--duration", str(LONG_S), "--port", "0", "--save", str(tmp_path / "poses.npz"),
        "--record", str(tmp_path / "take.mcap"), "--vmc", "127.0.0.1:39539", "--json", "127.0.0.1:39570",
    ]  # fmt: skip
    done = subprocess.run(
        [strace, "-f", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log), *run],
        capture_output=True, text=True, timeout=240, env={k: v for k, v in os.environ.items() if k not in QUIETENING},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trace = log.read_text("utf-8", "replace")
    assert "127.0.0.1" in trace, "the processes of a rig speak over loopback: the trace shows nothing"
    assert strangers(trace) == set()
