import argparse
import os
import socket
import sys
import time

import pytest

from benchmarks.contract import Report
from benchmarks.engines.stream_receiver import Arrivals, Receivers
from benchmarks.engines.streaming import TARGETS, Log, add_figures, cpu_s

MS = 1_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the system's stamps of datagrams")


def test_receivers_record_the_arrival_times() -> None:
    receivers = Receivers(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        before_ns = time.monotonic_ns()
        sender.sendto(b"#bundle\0 /VMC/Ext/Bone/Pos\0", ("127.0.0.1", receivers.ports[0]))
        sender.sendto(b"#bundle\0 /VMC/Ext/T\0\0\0", ("127.0.0.1", receivers.ports[0]))
        sender.sendto(b'{"type":"schema"}', ("127.0.0.1", receivers.ports[1]))
        sender.sendto(b'{"type":"frame","index":7,"t_ns":5,"age_ms":3.5}', ("127.0.0.1", receivers.ports[1]))
        after_ns = time.monotonic_ns()
        time.sleep(0.2)
    vmc, json = receivers.finish()
    assert len(vmc.at_ns) == 1
    assert before_ns - 20 * MS < vmc.at_ns[0] < after_ns + 2000 * MS
    assert json.frames == [(7, 5, 3.5)]


def test_processor_time_is_that_of_the_process() -> None:
    before_s = cpu_s(os.getpid())
    begin_s = time.process_time()
    while time.process_time() - begin_s < 0.3:
        pass
    assert cpu_s(os.getpid()) - before_s == pytest.approx(0.3, abs=0.1)


def test_figures_are_those_of_the_messages() -> None:
    at_ns = [1000 * MS + i * 20 * MS + (40 * MS if i > 60 else 0) for i in range(100)]
    arrivals = [Arrivals(at_ns, [(i, at - 30 * MS, 25.0) for i, at in enumerate(at_ns)]) for _ in TARGETS]
    log = Log(begin_ns=1000 * MS, cpu=[(1000 * MS, 1.0), (3000 * MS, 1.1)], rss=[50.0, 50.0])
    log.ages = dict.fromkeys(range(100), 20.0)
    report = Report.begin(argparse.Namespace(json=None))
    add_figures(report, log, arrivals)
    found = {figure.name: figure.median for figure in report.figures}
    assert found["json: gap, longest"] == pytest.approx(60.0)
    assert found["CPU"] == pytest.approx(5.0)
    assert found["memory: growth"] == pytest.approx(0.0, abs=1e-9)
    stages = ("capture to pose", "pose to send", "retargeting and network", "capture to datagram")
    assert [found[f"{stage}: median"] for stage in stages] == pytest.approx([20.0, 5.0, 5.0, 30.0])
