"""A run with several people, second by second.

Axes: K poses of a whole take, T time steps, N people.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.accuracy.people.run import LIMB, PeopleRun
from benchmarks.accuracy.people.score import association, person_now
from benchmarks.accuracy.similarity import pa_mm
from pose_rig.arrays import Floats
from pose_rig.simulation.paths import nearest_distance


def timeline(run: PeopleRun, joints: Floats, fps: float) -> Table:
    """Returns a table of the seconds of a run.

    Args:
        run: The run.
        joints: (T,N,J,3) m, the people who are to be tracked.
        fps: Time steps per second.
    """
    columns = ("s", "solved", "closest m", "right %", "identity → person (views, PA mm)", "missing", "step ms")
    table = Table(*columns, title="Second by second; N and above are bystanders")
    right, counts = association(run)
    now, distance = person_now(run, fps), nearest_distance(joints)
    second = (run.step / fps).astype(int)
    for s in range(second.max() + 1):
        mine = second == s
        steps = np.arange(len(joints)) // fps == s
        share = 100 * right[mine].sum() / max(counts[mine].sum(), 1)
        shown = set(now[mine & run.tracking].tolist())
        table.add_row(
            str(s),
            f"{100 * run.solved[steps].mean():.0f} %",
            f"{distance[steps].min():.2f}",
            f"{share:.0f}",
            ", ".join(_identities(run, mine & run.tracking, now, joints)),
            " ".join(str(n) for n in range(joints.shape[1]) if n not in shown),
            f"{run.step_ms[steps].mean():.1f}",
        )
    return table


def _identities(run: PeopleRun, mine: NDArray[np.bool_], now: NDArray[np.int64], joints: Floats) -> Iterator[str]:
    """Yields each identity of some poses (K,) with the people it shows, its mean number of views, and the error."""
    for identity in np.unique(run.identity[mine]).tolist():
        here = mine & (run.identity == identity)
        people = "/".join(map(str, dict.fromkeys(now[here].tolist())))
        known = here & (now >= 0) & (now < joints.shape[1])
        error = (
            pa_mm(run.poses[known][:, LIMB], joints[run.step[known], now[known]][:, LIMB]).mean()
            if known.any()
            else np.nan
        )
        yield f"{identity} → {people} ({run.used[here].sum(1).mean():.1f}, {error:.0f})"
