"""What is said at the end of training."""

from collections.abc import Sequence
from math import isfinite

from rich.table import Table

from pose_rig.training.finetune import FinetuneMetrics
from pose_rig.training.train import TrainingResult


def exam_table(before: FinetuneMetrics, after: FinetuneMetrics, held: int) -> Table:
    """Returns a fine-tuned lifter beside the one it came from."""
    return _table(
        f"On {held} held-back instants, and on simulated people",
        [
            ("error of a single view, mm", f"{before.pa_mpjpe_mm:.1f}", f"{after.pa_mpjpe_mm:.1f}"),
            ("error seen from another camera", f"{before.reprojection:.4f}", f"{after.reprojection:.4f}"),
            (
                "error on simulated people, mm",
                f"{before.simulated_pa_mpjpe_mm:.1f}",
                f"{after.simulated_pa_mpjpe_mm:.1f}",
            ),
            ("human, not mirrored (-1 to 1)", f"{before.handedness:.2f}", f"{after.handedness:.2f}"),
        ],
    )


def look_table(outcome: TrainingResult, held: int) -> Table:
    """Returns how a lifter did before its training and does now; against the truth where that is known."""
    first, best = outcome.initial, outcome.best
    rows = [
        ("error seen from another camera", f"{first.reprojection:.4f}", f"{best.reprojection:.4f}"),
        ("bent the wrong way", f"{first.bent:.4f}", f"{best.bent:.4f}"),
    ]
    if isfinite(best.n_mpjpe):
        rows += [
            ("N-MPJPE against the truth", f"{first.n_mpjpe:.4f}", f"{best.n_mpjpe:.4f}"),
            ("PMPJPE against the truth", f"{first.pmpjpe:.4f}", f"{best.pmpjpe:.4f}"),
        ]
    return _table(f"On {held} held-back instants, in units of the 2D norm (about 2 m)", rows)


def _table(title: str, rows: Sequence[tuple[str, str, str]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("before", "after"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
