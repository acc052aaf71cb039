"""PCP, the percentage of correct parts, as rooms with several people are usually scored.

A part is right if the mean distance of its ends from the true ones is at most half the true part's length. Every frame
of every person counts: where they are not tracked, no part is right.

Axes: K poses of a whole take, T time steps, N people, J = 17 joints, S = 10 parts, I identities.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.calibrated import cameras_of, triangulate
from benchmarks.accuracy.people.run import PeopleRun
from benchmarks.accuracy.people.takes import separate
from benchmarks.accuracy.similarity import Similarity
from pose_rig.arrays import Floats
from pose_rig.simulation.people import PeopleTake
from pose_rig.skeleton import INDEX, landmarks

PARTS = np.array(
    [
        [INDEX[start], INDEX[end]]
        for start, end in (
            ("thorax", "head"),
            ("pelvis", "thorax"),
            *((f"{side}_{start}", f"{side}_{end}") for side in "lr" for start, end in (
                ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"),
            )),
        )
    ]
)  # fmt: skip
MAX_ERROR = 0.5  # of the length of a part
REFITS = 2  # of the similarity, without the poses that are farthest off
KEPT_MEDIANS = 2.0  # poses that are kept: up to so many medians of the errors


def pcp(run: PeopleRun, joints: Floats, now: NDArray[np.int64]) -> Floats:
    """Returns (N,) percentages of correct parts of people; each has one identity for the whole take.

    Args:
        run: The run.
        joints: (T,N,J,3) m, the people.
        now: (K,) which person each pose shows, −1 or N and above for none of them.
    """
    count = np.zeros((joints.shape[1], len(identities := np.unique(run.identity))))
    known = (now >= 0) & (now < joints.shape[1])
    if known.sum() < 2:
        return np.zeros(joints.shape[1])
    placed = _robust_similarity(run.poses[known], joints[run.step[known], now[known]])(run.poses)
    for n in range(joints.shape[1]):
        right = correct_parts(placed, joints[run.step, n]).sum(1)
        count[n] = [right[run.tracking & (run.identity == identity)].sum() for identity in identities]
    out = np.zeros(joints.shape[1])
    for _ in range(min(count.shape)):
        n, i = divmod(int(count.argmax()), count.shape[1])
        out[n] = max(count[n, i], 0)
        count[n, :] = count[:, i] = -1
    return np.asarray(100 * out / (len(joints) * len(PARTS)))


def calibrated_pcp(take: PeopleTake) -> Floats:
    """Returns (N,) percentages of the same detections, triangulated with the true cameras and true data association."""
    true, found = take.cameras, []
    cameras = cameras_of(true.rotation, -np.einsum("vij,vj->vi", true.rotation, true.position))
    for n in range(take.joints.shape[1]):
        mine = separate(take, n)
        xy_px, score = landmarks(take.landmarks).to_joints(mine.xy_px[:, :, 0], mine.score[:, :, 0])
        ideal_xy = true.each(lambda values: values[:, None]).ideal_xy(xy_px)
        points, enough = np.full(take.joints[:, n].shape, np.nan), (score > 0).sum(0) > 1
        visible = np.where(score[..., None] > 0, ideal_xy, np.nan)
        points[enough] = triangulate(cameras, visible[:, enough][:, :, None], score[:, enough][:, :, None])[:, 0]
        found.append(100 * correct_parts(points, take.joints[:, n]).mean())
    return np.array(found)


def correct_parts(poses: Floats, truth: Floats) -> Floats:
    """Returns (M,S) which parts of poses (M,J,3) are right; parts with NaN are not."""
    off = np.linalg.norm(poses - truth, axis=-1)[:, PARTS].mean(-1)
    length = np.linalg.norm(truth[:, PARTS[:, 0]] - truth[:, PARTS[:, 1]], axis=-1)
    return np.asarray(off <= MAX_ERROR * length)


def _robust_similarity(poses: Floats, truth: Floats) -> Similarity:
    """Returns the similarity from poses (M,J,3) to the true ones, of those that are not far off."""
    kept = np.ones(len(poses), bool)
    for _ in range(1 + REFITS):
        fit = Similarity.fit(poses[kept], truth[kept])
        error = np.linalg.norm(fit(poses) - truth, axis=-1).mean(1)
        kept = error <= KEPT_MEDIANS * np.median(error)
    return fit
