"""Published results: the tables of the paper (Kim et al., ACCV 2022), as printed there, and CPS of CanonPose.

Two oddities are in the paper: Wandt and Rosenhahn have the PMPJPE of Rhodin et al., and one N-PCK of Rhodin et al. is
listed for two datasets. It is unknown how Kim et al. computed "PMPJPE"; their released code has the minimum over views
(`pose_rig.training.evaluation.metrics.min_over_views`).
"""

from dataclasses import dataclass
from types import MappingProxyType

ERRORS = ("N-MPJPE mm", "PMPJPE mm")
ERRORS_AND_PCK = (*ERRORS, "N-PCK %")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        source: Authors and year, if the paper has it.
        values: One per column; None = not reported.
    """

    source: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """One table.

    Attributes:
        title: The dataset's name.
        columns: Names of the metrics.
        rows: In the order of the paper.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


S1, S1S2 = "Kim et al. 2022, S1", "Kim et al. 2022, S1+S2"
CANONPOSE = "Wandt et al. 2021 (CanonPose)"

TABLES = MappingProxyType(
    {
        "human36m": Published(
            "Human3.6M",
            ERRORS,
            (
                Row("Martinez et al. 2017 (full supervision)", (67.5, 52.5)),
                Row("Rhodin et al. 2018, ECCV", (122.6, 98.2)),
                Row("Rhodin et al. 2018, CVPR", (80.1, 65.1)),
                Row("Wandt and Rosenhahn 2019", (89.9, 65.1)),
                Row("Kolotouros et al. 2019", (None, 62.0)),
                Row("Kundu et al. 2020", (85.8, None)),
                Row("Kocabas et al. 2019", (76.6, 67.5)),
                Row("Jenni and Favaro 2020", (89.6, 76.9)),
                Row("Iqbal et al. 2020", (69.1, 55.9)),
                Row(CANONPOSE, (74.3, 53.0)),
                Row(S1, (63.6, 46.1)),
                Row(S1S2, (61.4, 45.9)),
            ),
        ),
        "mpi-inf-3dhp": Published(
            "MPI-INF-3DHP",
            ERRORS_AND_PCK,
            (
                Row("Rhodin et al. 2018", (121.8, None, 72.7)),
                Row("Kolotouros et al. 2019", (124.8, None, 66.8)),
                Row("Li et al.", (None, None, 74.1)),
                Row("Kundu et al. 2020", (103.8, None, 82.1)),
                Row("Kocabas et al. 2019", (125.7, None, 64.7)),
                Row("Iqbal et al. 2020", (110.1, 68.7, 76.5)),
                Row(CANONPOSE, (104.0, 70.3, 77.0)),
                Row(S1, (95.2, 57.3, 79.3)),
                Row(S1S2, (94.6, 56.5, 81.9)),
            ),
        ),
        "skipose": Published(
            "SkiPose-PTZ",
            ERRORS_AND_PCK,
            (
                Row("Rhodin et al. 2018 (weak supervision)", (85.0, None, 72.7)),
                Row(CANONPOSE, (128.1, 89.6, 67.1)),
                Row(S1, (118.2, 79.3, 70.1)),
                Row(S1S2, (115.2, 78.8, 72.4)),
            ),
        ),
    }
)

# mm, of 300
CPS = MappingProxyType({"mpi-inf-3dhp": (Row(CANONPOSE, (134.2,)),), "skipose": (Row(CANONPOSE, (108.7,)),)})

# percent, joints as `pose_rig.training.evaluation.metrics.LIMB_TYPES`
SINGLE, FUSED = "Kim et al. 2022, one view", "Kim et al. 2022, all views"
JDR = MappingProxyType(
    {
        "human36m": (
            Row(SINGLE, (97.1, 97.5, 97.5, 98.5, 96.7, 98.2)),
            Row(FUSED, (98.2, 98.5, 97.8, 98.9, 98.5, 99.6)),
        ),
        "mpi-inf-3dhp": (
            Row(SINGLE, (97.4, 97.8, 99.8, 96.9, 97.0, 96.9)),
            Row(FUSED, (98.8, 97.8, 99.9, 98.4, 98.4, 98.3)),
        ),
        "skipose": (
            Row(SINGLE, (97.0, 73.7, 81.2, 90.0, 70.0, 60.9)),
            Row(FUSED, (98.7, 77.0, 75.1, 91.9, 71.7, 56.4)),
        ),
    }
)
