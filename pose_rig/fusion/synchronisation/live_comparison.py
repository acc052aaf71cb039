"""The clocks of live cameras compared, from the detections of the last seconds. Pure: it runs in a process of its own.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.synchronisation.camera_clock import clocks_of
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_adjustment import adjust_clocks
from pose_rig.fusion.synchronisation.clock_offsets import coarse_offsets
from pose_rig.fusion.synchronisation.clock_signals import movement_signals
from pose_rig.fusion.synchronisation.clock_steps import OffsetStep, find_step, refined_step
from pose_rig.fusion.synchronisation.resampling import resampled

MAX_OFFSET_S = 3.0
MIN_VALID_SAMPLES = 225  # of the movement signals: four and a half seconds
MIN_COARSE_CHANGE_S = 0.1  # smaller ones are left to the bundle adjustment, unless this cannot observe the camera
MIN_CHANGE_AGAINST_RIG_S = 0.15  # where a solved rig agrees with the clock so far
MIN_CLEAR_CHANGE_S = (
    0.03  # of an offset from so many valid samples, and with such a correlation of the signals, or more:
)
MIN_CLEAR_SAMPLES, MIN_CLEAR_CORRELATION = 350, 0.3  # 99 % of them are right to 30 ms (50 simulated rigs)
MIN_PEAK_RATIO = 1.5  # `clock_offsets`, in one comparison and in the one before
MAX_COARSE_DIFFERENCE_S = 0.06  # between the two
COARSE_SD_S = 0.015
KEPT_BELOW_SD = 2.0  # standard deviations; a smaller offset, or change of it, is not used
REFINED_ABOVE_SD = 1.0  # changes of an offset that is in use
# of offsets from seconds of movement, in a rig that was solved from as little: errors of 10 to 30 ms after 4 s, 3 to 5
# ms after 12 (simulated rigs with biased detectors)
MIN_SD_S, SD_OF_ONE_SECOND_S = 0.003, 0.04
ANY_KEPT_BELOW_SD = 3.0  # and none is used if all are smaller than this
MAX_FINE_CHANGE_S = 0.25  # the bundle adjustment has local minima elsewhere
NEGLIGIBLE_CHANGE_S = 0.015  # keyframes older than the tracks are kept where offsets change by less
ALIKE_S = 0.1  # changes of offsets that differ by less have one cause


@dataclass(frozen=True, slots=True)
class ComparisonTask:
    """Which clocks are compared, and how.

    Attributes:
        tracks: (V) what each camera detected.
        offset_s: (V,) rig time minus camera time, as applied.
        unsure: (V,) whose offset the bundle adjustment has not confirmed; movement signals may change it.
        agrees: (V,) who agree with the others in a solved rig.
        coarse_s: (V,) what the movement signals supported in the comparison before, NaN where they did not.
        solve: Of the solved rig; None until then.
        adjust: Whether the bundle adjustment is to refine the offsets.
        step_ns: Start and end of the detections in which steps are searched, rig clock; None = no search.
        refines: A step in use since a short time, which later detections may refine; until then nothing else is
            adjusted. None = no such step.
        several: Whether they may be of several people.
    """

    tracks: Sequence[CameraTrack]
    offset_s: Floats
    unsure: NDArray[np.bool_]
    agrees: NDArray[np.bool_]
    coarse_s: Floats
    solve: SolveTask | None = None
    adjust: bool = False
    step_ns: tuple[int, int] | None = None
    refines: OffsetStep | None = None
    several: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result.

    Attributes:
        offset_s: (V,) the offsets to use from now on.
        sd_s: (V,) standard deviations of what was found now; NaN where nothing was.
        coarse_s: (V,) what the movement signals support, NaN where they do not.
        step: A step of one clock, or the refinement of one, after which ``offset_s`` holds.
        adjusted: Whether the bundle adjustment was tried.
        keyframes: Those of the task with the new offsets, solution: the rig from them; None where the offsets are not
            those of the bundle adjustment, or have not changed.
        undecided: (V,) for which cameras more detections may show a step; None where none was searched.
    """

    offset_s: Floats
    sd_s: Floats
    coarse_s: Floats
    step: OffsetStep | None = None
    adjusted: bool = False
    keyframes: Sequence[Keyframe] | None = None
    solution: RigSolution | str | None = field(default=None)
    undecided: NDArray[np.bool_] | None = None


def compare_clocks(task: ComparisonTask) -> Comparison:
    """Returns the offsets that the detections support: a step, or else coarse ones, or else fine ones."""
    try:
        return _compared(task)
    except (ArithmeticError, ValueError):  # numerically: nothing is learned from these detections
        unknown = np.full(len(task.offset_s), np.nan)
        return Comparison(task.offset_s, unknown, unknown, adjusted=task.adjust)


def _compared(task: ComparisonTask) -> Comparison:
    cameras = None if task.solve is None else _compared_cameras(task.solve)
    if task.step_ns is None or cameras is None:
        return _without_step(task)
    search = find_step(task.tracks, task.offset_s, cameras, *task.step_ns, several=task.several)
    step = search.step
    if step is not None and not task.unsure[step.view]:  # else the rig may have been solved with a wrong clock
        return _stepped(task, step, search.undecided)
    if task.refines is not None:
        until_ns = task.step_ns[1]
        step = refined_step(task.tracks, task.offset_s, cameras, task.refines, until_ns, several=task.several)
        if step is not None:
            return _stepped(task, step, search.undecided)
    return replace(_without_step(task), undecided=search.undecided)


def _compared_cameras(solve: SolveTask) -> Calibration | None:
    """Returns the cameras among which steps are searched: those that are trusted, but not two that are left of more.

    Two of more may be the wrong ones, and what one of them would see at another time fits too easily.
    """
    current = solve.current
    if current is None:
        return None
    known = current.known & solve.known
    return replace(current, known=known) if known.sum() >= min(3, current.known.sum()) else None


def _stepped(task: ComparisonTask, step: OffsetStep, undecided: NDArray[np.bool_]) -> Comparison:
    unknown = np.full(len(task.offset_s), np.nan)
    here = np.arange(len(unknown)) == step.view
    offset_s = task.offset_s + step.change_s * here
    return Comparison(offset_s, np.where(here, COARSE_SD_S, np.nan), unknown, step, undecided=undecided)


def _without_step(task: ComparisonTask) -> Comparison:
    """Returns coarse offsets, or else fine ones."""
    unknown = np.full(len(task.offset_s), np.nan)
    coarse_s, clear = unknown, unknown == 0
    if task.unsure.any():
        coarse_s, clear = coarse_clocks(task.tracks, task.offset_s, several=task.several)
    # an unsolved rig of several people mostly solves with small offsets, which the bundle adjustment then finds better
    known = np.full(len(unknown), task.several) if task.solve is None else task.solve.known
    contradicts = _contradicts(task, coarse_s, clear & ~known)
    if (contradicts & _is_second(task, coarse_s)).any():
        return _coarse(task, coarse_s, contradicts)
    doubted = contradicts & np.isnan(task.coarse_s)  # the bundle adjustment would move the others, too
    if not task.adjust or task.solve is None or task.refines is not None or doubted.any():
        return Comparison(task.offset_s, unknown, coarse_s)
    found = replace(_fine(task, task.solve), coarse_s=coarse_s)
    contradicts = _contradicts(task, coarse_s, clear & np.isnan(found.sd_s))
    if found.keyframes is None and (contradicts & _is_second(task, coarse_s)).any():
        return replace(_coarse(task, coarse_s, contradicts), adjusted=True)
    return found


def coarse_clocks(
    tracks: Sequence[CameraTrack], before_s: Floats, *, several: bool = False
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns (V,) the offsets that the movement signals support, NaN where they support none; and which are clear.

    Args:
        tracks: (V) what each camera detected.
        before_s: (V,) the offsets so far, of which as many as possible are kept.
        several: As in `movement_signals`.
    """
    out, clear, signals = (
        np.full(len(tracks), np.nan),
        np.zeros(len(tracks), bool),
        [movement_signals(t, several=several) for t in tracks],
    )
    samples = np.array([one.valid.sum() for one in signals])
    views = np.flatnonzero(samples >= MIN_VALID_SAMPLES)
    if len(views) < 2:
        return out, clear
    found = coarse_offsets([signals[view] for view in views], MAX_OFFSET_S, MIN_PEAK_RATIO)
    clear[views] = found.found & (found.correlation >= MIN_CLEAR_CORRELATION)
    clear &= samples >= MIN_CLEAR_SAMPLES
    views = views[found.found]
    if len(views):
        change = found.offset_s[found.found] - before_s[views]
        out[views] = before_s[views] + change - common_change(change, keeps_first=views[0] == 0)
    return out, clear


def _coarse(task: ComparisonTask, coarse_s: Floats, contradicts: NDArray[np.bool_]) -> Comparison:
    """Returns the result in which offsets are changed that the movement signals contradict, twice."""
    offset_s = np.where(contradicts & _is_second(task, coarse_s), coarse_s, task.offset_s)
    return Comparison(offset_s, np.where(offset_s != task.offset_s, COARSE_SD_S, np.nan), coarse_s)


def _is_second(task: ComparisonTask, coarse_s: Floats) -> NDArray[np.bool_]:
    """Returns (V,) whose offset was about the same in the comparison before."""
    return np.asarray(np.abs(np.nan_to_num(coarse_s - task.coarse_s, nan=np.inf)) < MAX_COARSE_DIFFERENCE_S)


def _contradicts(task: ComparisonTask, coarse_s: Floats, small: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns (V,) which offsets that are not sure the movement signals contradict; ``small`` ones (V,) count, too."""
    needed_s = np.where(task.agrees, MIN_CHANGE_AGAINST_RIG_S, MIN_COARSE_CHANGE_S)
    needed_s = np.where(small, MIN_CLEAR_CHANGE_S, needed_s)
    return np.asarray((np.abs(np.nan_to_num(coarse_s - task.offset_s)) > needed_s) & task.unsure)


def common_change(change_s: Floats, keeps_first: bool) -> float:
    """Returns what all clocks share of changes (V,) that are only known relative to each other.

    The first camera keeps the rig's clock, unless it is the odd one: then most cameras keep theirs. Of two cameras the
    one that is later changes.
    """
    usual = float(np.sort(change_s)[len(change_s) // 2])
    return float(change_s[0]) if keeps_first and abs(change_s[0] - usual) < ALIKE_S else usual


def improved(before_s: Floats, found_s: Floats, sd_s: Floats) -> Floats:
    """Returns the offsets (V,) to use, after some were found with standard deviations ``sd_s``, NaN = not found.

    Clocks that are not significantly off are those of the rig, exactly; all are where none is clearly off.
    """
    sd_s = np.where(np.isfinite(sd_s) & (np.abs(found_s - before_s) < MAX_FINE_CHANGE_S), sd_s, np.inf)
    known = np.isfinite(sd_s)
    one_clock = bool((np.abs(found_s) < ANY_KEPT_BELOW_SD * sd_s)[known & (sd_s > 0)].all())
    own = (np.abs(found_s) < KEPT_BELOW_SD * sd_s) | one_clock
    target = np.where(own & known, 0.0, found_s)
    changed = np.abs(found_s - before_s) > np.where(before_s == 0, KEPT_BELOW_SD, REFINED_ABOVE_SD) * sd_s
    return np.where(changed & (sd_s > 0), target, before_s)  # the others are relative to the one that is given


def _fine(task: ComparisonTask, solve: SolveTask) -> Comparison:
    unknown, before = np.full(len(task.offset_s), np.nan), clocks_of(task.offset_s.tolist())
    inside = _covered(solve, task)
    keyframes = [keyframe for keyframe, usable in zip(solve.keyframes, inside, strict=True) if usable]
    found = adjust_clocks(replace(solve, keyframes=keyframes), task.tracks, before)
    if found is None:
        return Comparison(task.offset_s, unknown, unknown, adjusted=True)
    seconds = (keyframes[-1].t_ns - keyframes[0].t_ns) * 1e-9
    floor_s = max(MIN_SD_S, SD_OF_ONE_SECOND_S / seconds)
    sd_s = np.where(found.sd_s == 0, 0.0, np.hypot(found.sd_s, floor_s))
    offset_s = improved(task.offset_s, found.offset_s, sd_s)
    if (offset_s == task.offset_s).all():
        return Comparison(task.offset_s, sd_s, unknown, adjusted=True)
    keyframes = resampled(keyframes, task.tracks, before, clocks_of(offset_s.tolist()))
    if np.abs(offset_s - task.offset_s).max() < NEGLIGIBLE_CHANGE_S:
        older = [keyframe for keyframe, usable in zip(solve.keyframes, inside, strict=True) if not usable]
        keyframes = sorted([*older, *keyframes], key=lambda keyframe: keyframe.t_ns)
    solution = self_solve(replace(solve, keyframes=keyframes))
    return Comparison(offset_s, sd_s, unknown, adjusted=True, keyframes=keyframes, solution=solution)


def _covered(solve: SolveTask, task: ComparisonTask) -> list[bool]:
    """Returns which keyframes lie within the tracks of all cameras of the rig."""
    tracks = [(task.tracks[view].t_ns, task.offset_s[view] * 1e9) for view in np.flatnonzero(solve.known).tolist()]
    if not all(len(t_ns) for t_ns, _ in tracks):
        return [False] * len(solve.keyframes)
    first, last = max(t_ns[0] + offset for t_ns, offset in tracks), min(t_ns[-1] + offset for t_ns, offset in tracks)
    return [bool(first <= keyframe.t_ns <= last) for keyframe in solve.keyframes]
