import signal
import subprocess
import sys

import pytest

from pose_rig.tools.terminal.user_input import UserInput

WAIT_FOR_KEY = """
import termios, time
from pose_rig.tools.terminal.user_input import UserInput
user = UserInput(lambda: None)
before = termios.tcgetattr(0)
with user.listening():
    print("listening", flush=True)
    deadline = time.monotonic() + 10
    while not user.stop_requested and time.monotonic() < deadline:
        time.sleep(0.01)
print("asked" if user.stop_requested else "not asked", "restored" if termios.tcgetattr(0) == before else "spoilt")
"""
COUNT_MARKS = """
import time
from pose_rig.tools.terminal.user_input import UserInput
user = UserInput(lambda: None)
with user.listening():
    print("listening", flush=True)
    deadline = time.monotonic() + 10
    while not user.stop_requested and time.monotonic() < deadline:
        time.sleep(0.01)
    print(user.take_markers(), "marks, then", user.take_markers())
"""
IN_A_TERMINAL = "import pty, sys; pty.spawn([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are different there")
def test_q_stops_and_the_terminal_is_restored() -> None:
    command = [sys.executable, "-c", IN_A_TERMINAL, WAIT_FOR_KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        assert terminal.stdout.readline().strip() == "listening"
        terminal.stdin.write("xq")
        terminal.stdin.flush()
        assert terminal.stdout.readline().strip() == "asked restored"


def test_no_stop_is_requested_at_first() -> None:
    user = UserInput(lambda: None)
    with user.listening():
        assert not user.stop_requested


def test_the_second_signal_stops_at_once() -> None:
    second_stops: list[bool] = []
    user = UserInput(lambda: second_stops.append(True))
    with user.listening():
        signal.raise_signal(signal.SIGTERM)
        assert user.stop_requested
        assert second_stops == []
        signal.raise_signal(signal.SIGINT)
        assert second_stops == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are different there")
def test_m_sets_a_marker_per_press() -> None:
    command = [sys.executable, "-c", IN_A_TERMINAL, COUNT_MARKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        assert terminal.stdout.readline().strip() == "listening"
        terminal.stdin.write("mxMmq")
        terminal.stdin.flush()
        assert terminal.stdout.readline().strip() == "3 marks, then 0"


def test_without_a_terminal_no_marker_is_set() -> None:
    user = UserInput(lambda: None)
    with user.listening():
        assert user.take_markers() == 0
