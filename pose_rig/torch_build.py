"""Which build of torch is installed: for the CPU, or for CUDA, which is some 3 GB with its libraries."""

from dataclasses import dataclass

from pose_rig.installer import CPU_INDEX, installer

CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # of CUDA builds also for Windows, where PyPI has CPU ones


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """A build of torch.

    Attributes:
        version: For example 2.13.0+cpu.
        cuda: Version of CUDA that it was built for, empty for a CPU build.
        gpu: Name of the GPU that it can use, empty if there is none.
    """

    version: str
    cuda: str
    gpu: str

    def __str__(self) -> str:
        """Returns for example "torch 2.13.0+cpu, CPU build"."""
        build = f"CUDA {self.cuda} build" if self.cuda else "CPU build"
        return f"torch {self.version}, {build}{f', {self.gpu}' if self.gpu else ''}"

    def remedy(self) -> str:
        """Returns how to get the build that fits where this one finds no GPU; empty where it finds one."""
        if self.gpu:
            return ""
        if self.cuda:
            return (
                f"Install a driver for CUDA {self.cuda}, or the CPU build, which is some 3 GB smaller: "
                f"{installer().packages('torch')} --index-url {CPU_INDEX}"
            )
        return f"For an NVIDIA GPU install the CUDA build: {installer().packages('torch')} --index-url {CUDA_INDEX}"


def torch_build() -> TorchBuild:
    """Returns the build that is installed.

    Raises:
        ImportError: torch is not installed, or does not load.
    """
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return TorchBuild(torch.__version__, torch.version.cuda or "", gpu)
