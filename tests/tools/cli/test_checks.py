import os
import re
from pathlib import Path

import pytest

from pose_rig.installer import Installer, Tool
from pose_rig.lifting.gpu_libraries import DRIVER, gpu_pieces, has_driver
from pose_rig.tools.cli.checks import (
    cameras,
    conflicts,
    disk,
    libraries_of_gpu,
    loopback,
    models,
    packages,
    phones,
    providers,
    python,
    telemetry,
    training,
)  # fmt: skip
from pose_rig.torch_build import torch_build
from pose_rig.web.network import lan_addresses

PIP = Installer("pip", Path("/env"))


def test_two_opencvs_are_named_with_a_remedy() -> None:
    (finding,) = conflicts({"opencv-contrib-python", "opencv-python", "numpy"}, PIP)
    assert finding.status == "warn"
    assert finding.text == "opencv-contrib-python and opencv-python overwrite each other."
    assert finding.remedy == (
        "Run: pip uninstall -y opencv-contrib-python opencv-python; pip install opencv-contrib-python"
    )


def test_of_two_onnxruntimes_the_one_for_the_gpu_is_kept() -> None:
    (finding,) = conflicts({"onnxruntime", "onnxruntime-gpu"}, PIP)
    assert finding.remedy.endswith("pip install onnxruntime-gpu")


def test_one_of_each_is_no_finding() -> None:
    assert list(conflicts({"opencv-contrib-python", "onnxruntime-gpu"}, PIP)) == []


@pytest.mark.parametrize(
    ("tool", "remedy"),
    [
        ("uv", "Run: uv pip uninstall onnxruntime onnxruntime-gpu; uv pip install onnxruntime-gpu"),
        (
            "uv tool",
            "Run: uv pip uninstall --python '/env' onnxruntime onnxruntime-gpu; "
            "uv tool install --force --with onnxruntime-gpu pose-rig",
        ),
        (
            "pipx",
            "Run: pipx runpip pose-rig uninstall -y onnxruntime onnxruntime-gpu; "
            "pipx inject --force pose-rig onnxruntime-gpu",
        ),
    ],
)
def test_remedies_name_the_installer(tool: Tool, remedy: str) -> None:
    (finding,) = conflicts({"onnxruntime", "onnxruntime-gpu"}, Installer(tool, Path("/env")))
    assert finding.remedy == remedy


@pytest.mark.parametrize("version", ["0.10.35", "0.11.0", "1.0.0", "1.2.3rc1"])
def test_a_mediapipe_with_telemetry_is_reported(version: str) -> None:
    (finding,) = telemetry(version, PIP)
    assert finding.status == "warn"
    assert finding.text == f"Version {version} reports its usage to its vendor over the network."
    assert finding.remedy == "Run: pip install 'mediapipe>=0.10.32,<0.10.35'"


@pytest.mark.parametrize("version", ["0.10.32", "0.10.34", "0.10.9", ""])
def test_a_mediapipe_without_telemetry_is_no_finding(version: str) -> None:
    assert list(telemetry(version, PIP)) == []


def test_the_loopback_works() -> None:
    (finding,) = loopback()
    assert finding.status == "ok"
    assert "ms per message" in finding.text


def test_an_empty_cache_is_a_warning_and_a_full_one_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    (empty,) = models()
    assert (empty.status, "None in" in empty.text) == ("warn", True)
    (tmp_path / "cache" / "pose_landmarker_full").mkdir(parents=True)
    (full,) = models()
    assert (full.status, full.text.startswith("pose_landmarker_full in")) == ("ok", True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    (finding,) = models()
    assert finding.status == "fail"
    assert "POSE_RIG_CACHE" in finding.remedy


def test_the_interpreter_and_packages_of_the_tests_are_ok() -> None:
    assert [finding.status for finding in python()] == ["ok"]
    assert next(packages()).status == "ok"
    assert next(disk()).subject == "disk"
    (build,) = training()
    assert (build.status, build.subject) == ("ok", "training")
    assert build.text == f"{torch_build()}."
    assert all(finding.subject == "cameras" for finding in cameras())


def test_inference_is_compared_and_timed() -> None:
    found = list(providers())
    assert {finding.subject for finding in found} <= {"inference", "gpu"}
    assert re.fullmatch(r"cpu runs the shipped graph in \d+\.\d\d ms \(ONNX Runtime [\d.]+\)", found[-1].text)
    if not has_driver():
        texts = [finding.text for finding in found if finding.subject == "inference"]
        assert texts[:2] == [f"{name} is not used: no NVIDIA GPU." for name in ("tensorrt", "cuda")]


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_where_the_packages_of_the_gpu_are_installed_the_missing_driver_is_named() -> None:
    missing = [piece for piece in gpu_pieces()[:-1] if piece.missing]
    found = list(libraries_of_gpu())
    if len(missing) == 2:
        assert found == []
    else:
        assert found[-1].text.startswith(f"NVIDIA driver ({DRIVER}) is missing: ")
        assert len([finding for finding in found if finding.status == "warn"]) == 1 + len(missing)


def test_phones_are_given_the_addresses_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first, *_ = phones()
    if addresses := lan_addresses():
        assert (first.status, first.text) == ("ok", f"They reach this machine at {', '.join(addresses)}.")
    else:
        assert (first.status, first.text) == ("warn", "This machine is in no network.")
    assert list(tmp_path.iterdir()) == []  # nothing is made
