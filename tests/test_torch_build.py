import pytest
import torch

from pose_rig.installer import CPU_INDEX, installer
from pose_rig.torch_build import CUDA_INDEX, TorchBuild, torch_build

CPU, CUDA = TorchBuild("2.13.0+cpu", "", ""), TorchBuild("2.13.0+cu130", "13.0", "")


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (CPU, "torch 2.13.0+cpu, CPU build"),
        (CUDA, "torch 2.13.0+cu130, CUDA 13.0 build"),
        (TorchBuild("2.13.0", "13.0", "NVIDIA H100"), "torch 2.13.0, CUDA 13.0 build, NVIDIA H100"),
    ],
)
def test_builds_are_named(build: TorchBuild, text: str) -> None:
    assert str(build) == text


def test_the_other_build_is_offered_where_there_is_no_gpu() -> None:
    install = installer().packages("torch")
    assert CPU.remedy() == f"For an NVIDIA GPU install the CUDA build: {install} --index-url {CUDA_INDEX}"
    assert CUDA.remedy() == (
        f"Install a driver for CUDA 13.0, or the CPU build, which is some 3 GB smaller: {install} "
        f"--index-url {CPU_INDEX}"
    )
    assert TorchBuild("2.13.0", "13.0", "NVIDIA H100").remedy() == ""


def test_the_installed_build_is_found() -> None:
    found = torch_build()
    assert found.version == torch.__version__
    assert bool(found.cuda) == (torch.version.cuda is not None)
    assert bool(found.gpu) == torch.cuda.is_available()
