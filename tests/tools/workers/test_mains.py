from pathlib import Path

import pytest

from pose_rig.tools.workers.mains import recorded_provider
from pose_rig.wire.messages import Health
from tests.tools.sessions import START_NS, write_session


@pytest.mark.parametrize(
    ("detail", "provider"),
    [
        ("cuda (torch 2.11.0+cu130; per time step of 4 views: cuda 0.36 ms, cpu 1.25 ms)", "cuda"),
        ("tensorrt (TensorRT 10.9)", "tensorrt"),
        ("cpu (ONNX Runtime 1.32.0; no NVIDIA driver)", "cpu"),
        ("CPU (of an older version)", ""),
        ("", ""),
    ],
)
def test_the_provider_of_a_recording_is_that_of_its_first_report(detail: str, provider: str, tmp_path: Path) -> None:
    reports = [
        Health(worker="cam0", t_ns=START_NS, state="running", detail="1280 x 720"),
        Health(worker="fusion", t_ns=START_NS + 1, state="starting", detail=detail),
        Health(worker="fusion", t_ns=START_NS + 2, state="ended", detail="cpu (cuda failed in mid-run: CUDA error)"),
    ]
    assert recorded_provider(str(write_session(tmp_path / "take.mcap", reports))) == provider


def test_a_recording_without_reports_has_no_provider(tmp_path: Path) -> None:
    assert recorded_provider(str(write_session(tmp_path / "take.mcap", []))) == ""
