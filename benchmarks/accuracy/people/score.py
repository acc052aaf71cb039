"""How well a rig tracks several people.

Axes: K poses of a whole take, V views, T time steps, N people, L = 12 limb joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cameras.errors import camera_errors
from benchmarks.accuracy.people.parts import calibrated_pcp, pcp
from benchmarks.accuracy.people.run import LIMB, PeopleRun
from benchmarks.accuracy.similarity import Similarity, mirrored, pa_mm
from pose_rig.arrays import Floats
from pose_rig.simulation.people import PeopleTake

FROM_S = 3.0  # after the start, data association is scored
WINDOW_S = 1.0  # in which the person of an identity is the one of most of its detections


@dataclass(frozen=True, slots=True)
class SinglePerson:
    """The run of a rig that gets one person only.

    Attributes:
        pa_mm: (T,) error of the pose; NaN where it is not tracked, or the rig not solved.
        solved_s: Time until the rig is solved, None for never.
        step_ms: Median computing time of a time step of the solved rig; NaN without one.
        place_mm: Mean joint error after one similarity for the take.
    """

    pa_mm: Floats
    solved_s: float | None
    step_ms: float
    place_mm: float


@dataclass(frozen=True, slots=True)
class PeopleScore:
    """The score of one take; NaN where there is nothing to score.

    Attributes:
        solved_percent: Right detections of all that poses use, in the solved rig. Right: they show the person
            that most detections of that identity show over the take.
        unsolved_percent: The same in time steps from `FROM_S` on in which the rig was not solved.
        views_percent: Of the detections in these time steps, those of the person that most detections of the pose show:
            whether the views agree, whichever person the identity follows.
        later_percent: The same as `solved_percent` in all time steps from `FROM_S` on.
        switches: Identity switches in the solved rig: changes of the person that most detections of an identity show
            in a window of `WINDOW_S`.
        early_switches: Others from `FROM_S` on: before the rig is solved, and as it is.
        switches_per_10_min: Those in the solved rig per time.
        tracked_percent: Share of the person-time of the solved rig in which some identity follows the person.
        identities: How many there were.
        pa_mm: Mean error of the poses, mean over the people.
        pa_ratio: (N) error over that of the person alone, of the time steps that both have; NaN without one.
        separate_ratio: (N) the same, over that of a rig that gets the true detections of the person only.
        place_mm: Mean joint error after one similarity for all people and the whole take.
        place_ratio: Of that to the mean of the people alone.
        mirrored: How many identities are mirror images.
        solved_s: Time until the rig was solved, None for never.
        solved_ratio: That time over the median of the people alone.
        step_ms: Median computing time of a time step of the solved rig.
        step_ms_alone: Median over the people alone.
        pcp_percent: (N) correct parts of each person, from the first frame on (`parts`).
        calibrated_percent: (N) those of the same detections with the true cameras and data association.
        angle_deg, field_deg, centre_percent: Mean errors of the solved cameras: rotation after the principal point,
            horizontal field of view, and centres over their distance from their middle (`CameraErrors`).
    """

    solved_percent: float
    unsolved_percent: float
    views_percent: float
    later_percent: float
    switches: int
    early_switches: int
    switches_per_10_min: float
    tracked_percent: float
    identities: int
    pa_mm: float
    pa_ratio: Floats
    separate_ratio: Floats
    place_mm: float
    place_ratio: float
    mirrored: int
    solved_s: float | None
    solved_ratio: float
    step_ms: float
    step_ms_alone: float
    pcp_percent: Floats
    calibrated_percent: Floats = field(default_factory=lambda: np.zeros(0))
    angle_deg: float = np.nan
    field_deg: float = np.nan
    centre_percent: float = np.nan


def score(
    run: PeopleRun,
    joints: Floats,
    fps: float,
    alone: Sequence[SinglePerson] = (),
    separate: Sequence[SinglePerson] = (),
) -> PeopleScore:
    """Returns the score of a run.

    Args:
        run: The run.
        joints: (T,N,J,3) m, the people who are to be tracked; others of the take are bystanders.
        fps: Time steps per second.
        alone: (N) the people alone in the room, if known.
        separate: (N) rigs that get the true detections of one person each, if known.
    """
    people = joints.shape[1]
    right, sure = association(run)
    now = person_now(run, fps)
    later, solved = run.step >= FROM_S * fps, run.solved[run.step]
    changes = switches(run, now)
    in_solved = run.solved[changes] & (changes >= (run.solved_from or 0) + 0.5 * WINDOW_S * fps)
    truth = joints[:, :, LIMB]
    poses, wanted, of_person, at = _followed(run, now, truth)
    pa = pa_mm(poses, wanted) if len(poses) else np.zeros(0)
    place = _place_mm(poses, wanted)
    solved_s = None if run.solved_from is None else run.solved_from / fps
    return PeopleScore(
        solved_percent=_percent(right[solved], sure[solved]),
        unsolved_percent=_percent(right[later & ~solved], sure[later & ~solved]),
        views_percent=_views_percent(run, later & ~solved),
        later_percent=_percent(right[later], sure[later]),
        switches=int(in_solved.sum()),
        early_switches=int((~in_solved & (changes >= FROM_S * fps)).sum()),
        switches_per_10_min=600 * fps * in_solved.sum() / run.solved.sum() if run.solved.any() else np.nan,
        tracked_percent=100 * len(set(zip(of_person.tolist(), at.tolist(), strict=True)))
        / max(people * int(run.solved.sum()), 1) if run.solved.any() else np.nan,
        identities=len(set(run.identity[run.tracking].tolist())),
        pa_mm=_mean([pa[of_person == n].mean() for n in range(people) if (of_person == n).any()]),
        pa_ratio=_ratios(pa, of_person, at, alone),
        separate_ratio=_ratios(pa, of_person, at, separate),
        place_mm=place,
        place_ratio=place / _mean([one.place_mm for one in alone]),
        mirrored=sum(mirrored(poses[of_person == n], wanted[of_person == n]) for n in set(of_person.tolist())),
        solved_s=solved_s,
        solved_ratio=np.nan if solved_s is None else solved_s / _mean([one.solved_s for one in alone]),
        step_ms=_median_ms(run),
        step_ms_alone=_mean([one.step_ms for one in alone]),
        pcp_percent=pcp(run, joints, now),
    )  # fmt: skip


def with_cameras(found: PeopleScore, run: PeopleRun, take: PeopleTake) -> PeopleScore:
    """Returns a score with that of the solved cameras, and of the same detections with the true ones."""
    found = replace(found, calibrated_percent=calibrated_pcp(take)[: len(found.pcp_percent)])
    if run.cameras is None:
        return found
    errors = camera_errors(run.cameras, take.cameras)
    means = [float(np.nanmean(values)) for values in (errors.centred_deg, errors.field_deg, errors.centre)]
    return replace(found, angle_deg=means[0], field_deg=means[1], centre_percent=100 * means[2])


def score_single(run: PeopleRun, person: Floats, fps: float) -> SinglePerson:
    """Returns the score of the run of a rig that gets one person (T,J,3) only."""
    used = run.solved[run.step] & run.tracking
    truth = person[run.step[used]][:, LIMB]
    pa = np.full(len(person), np.nan)
    if used.any():
        pa[run.step[used]] = pa_mm(run.poses[used][:, LIMB], truth)
    solved_s = None if run.solved_from is None else run.solved_from / fps
    return SinglePerson(pa, solved_s, _median_ms(run), _place_mm(run.poses[used][:, LIMB], truth))


def association(run: PeopleRun) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns (K,V) which detections are right, and which count: those that show one person."""
    counts = (run.found >= 0) & run.tracking[:, None]
    right = np.zeros(run.found.shape, bool)
    for identity in set(run.identity.tolist()):
        mine = run.identity == identity
        right[mine] = run.found[mine] == _most(run.found[mine][counts[mine]])
    return right & counts, counts


def _views_percent(run: PeopleRun, mine: NDArray[np.bool_]) -> float:
    """Returns the share of the detections of some poses (K,) that show the person of most detections of their pose."""
    found = run.found[mine & run.tracking]
    votes = np.stack([(found == n).sum(1) for n in range(int(found.max(initial=0)) + 1)], 1)
    votes = votes[votes.sum(1) > 1]
    return float(100 * votes.max(1).sum() / votes.sum()) if len(votes) else np.nan


def person_now(run: PeopleRun, fps: float) -> NDArray[np.int64]:
    """Returns (K,) which person each pose shows: that of most detections of its identity around it; −1 = unknown."""
    half = 0.5 * WINDOW_S * fps
    people = int(run.found.max(initial=0)) + 1
    votes = np.stack([(run.found == n).sum(1) for n in range(people)], 1) * run.tracking[:, None]
    out = np.full(len(run.step), -1)
    for identity in set(run.identity.tolist()):
        mine = np.flatnonzero(run.identity == identity)
        total = np.concatenate([np.zeros((1, people), int), np.cumsum(votes[mine], 0)])
        first = np.searchsorted(run.step[mine], run.step[mine] - half)
        last = np.searchsorted(run.step[mine], run.step[mine] + half, side="right")
        around = total[last] - total[first]
        out[mine] = np.where(around.any(1), around.argmax(1), -1)
    return out


def switches(run: PeopleRun, now: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the time steps in which identities change to another person, one for each change."""
    steps = [np.zeros(0, int)]
    for identity in set(run.identity.tolist()):
        mine = np.flatnonzero((run.identity == identity) & run.tracking & (now >= 0))
        steps.append(run.step[mine[1:][np.diff(now[mine]) != 0]])
    return np.concatenate(steps)


def _followed(
    run: PeopleRun, now: NDArray[np.int64], truth: Floats
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Returns poses (M,L,3) of the solved rig, the true ones (M,L,3), whose they are (M,), and time steps (M,)."""
    used = run.solved[run.step] & run.tracking & (now >= 0) & (now < truth.shape[1])
    return run.poses[used][:, LIMB], truth[run.step[used], now[used]], now[used], run.step[used]


def _ratios(pa: Floats, of_person: NDArray[np.int64], at: NDArray[np.int64], singles: Sequence[SinglePerson]) -> Floats:
    """Returns (N,) the mean errors of poses over those of single people in the same time steps."""
    out = np.full(len(singles), np.nan)
    for n, single in enumerate(singles):
        both = (of_person == n) & np.isfinite(single.pa_mm[at])
        if both.any():
            out[n] = pa[both].mean() / single.pa_mm[at[both]].mean()
    return out


def _place_mm(poses: Floats, truth: Floats) -> float:
    """Returns the mean joint error after one similarity for all poses (M,L,3)."""
    if len(poses) < 2:
        return np.nan
    return float(1e3 * np.linalg.norm(Similarity.fit(poses, truth)(poses) - truth, axis=-1).mean())


def _median_ms(run: PeopleRun) -> float:
    return float(np.median(run.step_ms[run.solved])) if run.solved.any() else np.nan


def _percent(right: NDArray[np.bool_], counts: NDArray[np.bool_]) -> float:
    return float(100 * right.sum() / counts.sum()) if counts.any() else np.nan


def _most(values: NDArray[np.int64]) -> int:
    """Returns the most frequent of non-negative values, −1 without any."""
    return int(np.bincount(values).argmax()) if len(values) else -1


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
