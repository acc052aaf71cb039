"""pose-rig listen, with real datagrams on this machine."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from pose_rig.humanoid.bones import UNITY_PARENT
from pose_rig.tools.cli.listen import Listener, udp_socket
from tests.ports import free_port
from tests.streaming.vmc_messages import FRAME_NS, bone, bundle, frame, message
from tests.tools.cli.test_app import pose_rig

RNG = np.random.default_rng(0)


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    code, output = pose_rig("listen", *map(str, arguments))
    assert "Traceback" not in output
    return code, " ".join(output.split())


class Speaker:
    """Sends frames at 60 Hz from one socket until it is told to stop."""

    def __init__(self, port: int, make: Callable[[int], list[bytes]] = frame) -> None:
        self._place, self._make = ("127.0.0.1", port), make
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak)

    def __enter__(self) -> "Speaker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _speak(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            i = 0
            while not self._over.wait(FRAME_NS * 1e-9):
                for datagram in self._make(i):
                    sender.sendto(datagram, self._place)
                i += 1


@pytest.fixture
def listener() -> Iterator[Listener]:
    with udp_socket("127.0.0.1", 0) as source:
        yield Listener(source)


def drawn(listener: Listener) -> str:
    console = Console(file=StringIO(), width=100, record=True)
    console.print(listener.render())
    return console.export_text()


def send(listener: Listener, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, (listener.address.host, listener.address.port))


def test_a_sender_is_decoded_and_checked() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with Speaker(port):
        code, output = said("--port", port, "--duration", 2.6, "--headless")
    assert code == 0
    assert f"Listening on 127.0.0.1:{port}." in output
    assert "Hz from 127.0.0.1:" in output
    assert "OK 1 3 0 1 (loaded, calibrated, tracking)" in output
    assert "hips 0.00 1.00 0.00 m | 8 bones" in output
    assert output.endswith("No known receiver has a problem with this stream.")


def test_a_fault_is_printed_once_and_in_the_summary() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with Speaker(port, lambda i: [bundle(bone("Hips"), bone("Spine", (0.0, 0.0, 0.0))).dgram, b"hello"]):
        code, output = said("--port", port, "--duration", 2.6, "--headless")
    assert code == 0
    assert output.count("zero positions: Bones at 0, 0, 0 of their parents (Spine)") == 1
    assert output.count("zero positions ×") == 1
    assert output.count("that starts with 'hello' is not OSC") == 2
    assert "| no OK |" in output


def test_without_packets_remedies_are_printed() -> None:
    port = free_port(socket.SOCK_DGRAM)
    code, output = said("--port", port, "--duration", 1.6, "--headless")
    assert code == 0
    assert f"1 s | nothing received yet on 127.0.0.1:{port}" in output
    assert f"Nothing was received on 127.0.0.1:{port} in " in output
    assert f"pose-rig run --cams 0,1,2 --vmc 127.0.0.1:{port}" in output
    assert f"no firewall blocks UDP port {port}" in output


def test_the_table_shows_the_main_bones_or_all(listener: Listener) -> None:
    assert "Nothing yet" in drawn(listener)
    turned = bone("Head", (0.0, 0.08, 0.01), (0.0, 0.70710678, 0.0, 0.70710678))
    send(listener, *frame(0, tuple(name for name in UNITY_PARENT if name != "UpperChest")), bundle(turned).dgram)
    send(listener, message("/VMC/Ext/VRM", "me\x1b.vrm").dgram, message("/VMC/Ext/Hmd/Pos", "x").dgram)
    listener.receive(0.2)
    table = drawn(listener)
    (head,) = (line.split() for line in table.splitlines() if line.startswith("Head"))
    assert head == ["Head", "0.000", "0.080", "0.010", "0.0", "90.0", "0.0"]
    assert "LeftThumbProximal" not in table
    assert "The sender names a model, which is not opened: me·.vrm" in table
    assert "Ignored: /VMC/Ext/Hmd/Pos ×1" in table
    assert "large datagrams ×1: Datagrams of up to" in table
    with udp_socket("127.0.0.1", 0) as source:
        every = Listener(source, all_bones=True)
        send(every, *frame(0, tuple(UNITY_PARENT)))
        every.receive(0.2)
        assert all(name in drawn(every) for name in UNITY_PARENT)


def test_the_table_without_faults(listener: Listener) -> None:
    send(listener, *frame(0))
    listener.receive(0.2)
    assert "No known receiver has a problem with this stream." in drawn(listener)


def test_many_invalid_packets_do_not_block(listener: Listener) -> None:
    over = threading.Event()

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not over.is_set():
                sender.sendto(RNG.bytes(1000), (listener.address.host, listener.address.port))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(5):
            began_s = time.monotonic()
            listener.receive(0.05)
            assert time.monotonic() - began_s < 5
    finally:
        over.set()
        thread.join()
    assert listener.receiver.bad == listener.receiver.datagrams > 100
    assert "not OSC ×" in " ".join(listener.summary())


def test_a_port_that_is_taken() -> None:
    with udp_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code, output = said("--port", port)
    assert code == 2
    assert f"Error: Another program is already listening on 127.0.0.1:{port}." in output
    assert f"Close it, or use --port {port % 65535 + 1} and send there." in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--port", 70000), "70000 is not a port number. Ports go from 1 to 65535."),
        (("--port", -1), "-1 is not a port number."),
        (("--port", "vmc"), "Invalid value for '--port'"),
        (("--host", "no such host"), "Unknown host 'no such host'. Remove --host"),
        (("--host", "192.0.2.1"), "Cannot listen on 192.0.2.1:39539: "),
        (("--duration", 0), "The duration must be positive; got 0 s. Use for example --duration 30."),
        (("--duration", "nan"), "The duration must be positive; got nan s."),
    ],
)
def test_wrong_use_ends_in_one_sentence(arguments: tuple[object, ...], text: str) -> None:
    code, output = said(*arguments)
    assert text in output
    assert code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_it_with_the_summary() -> None:
    command = [sys.executable, "-m", "pose_rig.tools.cli.app", "listen", "--port", "0", "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Listening on 127.0.0.1:")
        process.stdout.readline()  # the first second: it catches the signal by now
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
    assert "Nothing was received" in output
    assert process.returncode == 0


def test_help_teaches_by_example() -> None:
    code, output = said("--help")
    assert code == 0
    for example in ("pose-rig listen --host 0.0.0.0", "--port 39540 --all", "--vmc 127.0.0.1"):
        assert example in output
