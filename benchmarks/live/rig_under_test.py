"""A rig of real processes that a benchmark attacks or disturbs: its processes, ports and memory. Linux only."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.contract import rss_mb
from pose_rig.errors import PoseRigError

START_S = 90.0
STOP_S = 30.0
_LISTENING = "0A"  # state of a TCP socket in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Port:
    """A socket that receives.

    Attributes:
        protocol: ``tcp`` if it listens, ``udp``.
        number: Port.
        pid: Process that has it.
    """

    protocol: str
    number: int
    pid: int


class RigUnderTest:
    """A rig that runs ``pose-rig run`` with some options, in a session of its own.

    Args:
        options: Of ``pose-rig run``.

    Attributes:
        process: The process that supervises the others.
        poses: Endpoint of the poses for any program.
        printed: The lines that it has printed.
    """

    def __init__(self, options: Sequence[str]) -> None:
        command = [sys.executable, "-m", "pose_rig", "run", "--headless", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.printed: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.poses = self._wait_for("Poses on ").split("Poses on ")[1].strip().rstrip(".")
        except PoseRigError:
            self.close()
            raise

    def pids(self) -> list[int]:
        """Returns the processes of the rig: all of its session that live."""
        return [pid for pid in _all_pids() if _session_of(pid) == self.process.pid]

    def workers(self) -> dict[str, int]:
        """Returns the process of each worker by name."""
        children = [pid for pid in self.pids() if _parent_of(pid) == self.process.pid]
        return {name: pid for pid in children if (name := _comm(pid)) and not name.startswith("python")}

    def ports(self) -> list[Port]:
        """Returns its listening TCP sockets and its UDP sockets, in order of processes."""
        owners = {inode: pid for pid in self.pids() for inode in _socket_inodes(pid)}
        found = [
            Port(protocol, number, owners[inode])
            for protocol in ("tcp", "udp")
            for number, inode in _local_ports(protocol)
            if inode in owners
        ]
        return sorted(set(found), key=lambda port: (port.protocol, port.pid, port.number))

    def memory_mb(self) -> float:
        """Returns the resident memory of all its processes."""
        return sum(_rss_or_zero(pid) for pid in self.pids())

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Waits for a condition while the rig runs.

        Raises:
            PoseRigError: The rig ended, or the time is up.
        """
        end_s = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end_s:
                raise PoseRigError(f"The rig did not reach: {what}.", "\n".join(self.printed[-20:]))
            time.sleep(0.05)

    def stop(self) -> int:
        """Stops the rig as Ctrl-C does, and returns its exit code; -9 if it did not stop in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """Kills every process that is left."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Stops the rig, and kills what is left of it."""
        self.stop()
        self.kill()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.printed.append(line.rstrip())

    def _wait_for(self, text: str) -> str:
        self.wait_for(lambda: any(text in line for line in self.printed), START_S, text)
        return next(line for line in self.printed if text in line)


def _comm(pid: int) -> str:
    """Returns the name of a process; that of a worker is the worker's."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""  # it has ended


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _session_of(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[3]) if stat and stat[0] != "Z" else 0


def _parent_of(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[1]) if stat else 0


def _rss_or_zero(pid: int) -> float:
    try:
        return rss_mb(pid)
    except (OSError, subprocess.CalledProcessError):
        return 0.0  # it has ended


def _socket_inodes(pid: int) -> list[str]:
    inodes = []
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(entry)
            if target.startswith("socket:["):
                inodes.append(target[8:-1])
    except OSError:
        pass  # it has ended, or closed a file
    return inodes


def _local_ports(protocol: str) -> list[tuple[int, str]]:
    """Returns (port, inode) of the sockets of this machine that receive."""
    found = []
    for table in (protocol, f"{protocol}6"):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            cells = line.split()
            if protocol == "udp" or cells[3] == _LISTENING:
                found.append((int(cells[1].rpartition(":")[2], 16), cells[9]))
    return found
