"""``pose-rig export``: converts a checkpoint to the ONNX graph of `pose-rig run --weights`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pose_rig.installer import requires_extra
from pose_rig.tools.arguments.inputs import EXPORT_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.workers.build_note import engine_folder


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint of `pose-rig train`, or a graph to export again.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="F", help="Default: in the same folder, as .onnx.")] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"], typer.Option(help="Precision of the lifter; rejected if the poses change.")
    ] = "fp32",
    provider: Annotated[
        Literal["cpu", "cuda", "tensorrt"],
        typer.Option(help="Provider to verify it with, too; tensorrt: also builds and caches its engine."),
    ] = "cpu",
    force: Force = False,
) -> None:
    """Export a checkpoint to the ONNX graph of `pose-rig run --weights`.

    \b
    pose-rig export runs/a/lifter.pt
    pose-rig export runs/a/lifter.pt --out my.weights
    pose-rig export runs/a/lifter.pt --precision fp16 --provider tensorrt

    The graph is run and compared with torch before it is written. The joints may change by less than 1 mm in the mean
    with another precision or provider. The metadata of the file name its source.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    path = out or checkpoint.with_suffix(".onnx")
    check_input(checkpoint, EXPORT_INPUT)
    check_output(path, force=force, sources=(checkpoint,))
    with requires_extra("Exporting", "train"):
        from pose_rig.lifting.checkpoint import load  # imports torch
        from pose_rig.training.export.export import ExportOptions
        from pose_rig.training.export.export import export as write
    from pose_rig.torch_build import torch_build

    lifter, settings = load(checkpoint)
    options = ExportOptions(precision, provider, engine_folder(), report=console.print)
    done = write(lifter, settings, path, options, source=checkpoint)
    changes = f"; {precision} on {provider} moves lifted joints by {done.lift_error_mm:.2f} mm"
    console.print(
        f"Written: {done.path}, {done.size_mb:.1f} MB, differs from torch by {done.max_difference:.0e}"
        f"{changes if done.lift_error_mm else ''}. {torch_build()}.",
    )  # fmt: skip
    console.print(f"Use it with `pose-rig run --weights {done.path}`.")
