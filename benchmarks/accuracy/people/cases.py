"""The cases of the benchmark: rooms, people alone, scores; kept in a cache if one is given."""

import argparse
import pickle
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from benchmarks.accuracy.people.run import run
from benchmarks.accuracy.people.score import PeopleScore, SinglePerson, score, score_single, with_cameras
from benchmarks.accuracy.people.takes import SCENES, Room, load, random_room, save, separate, write_keypoints
from benchmarks.accuracy.people.timeline import timeline
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.people import PeopleTake


def room_of(clips: Sequence[Clip], people: int, views: int, case: int, args: argparse.Namespace) -> Room:
    """Returns the room of a case; from the cache if it is there."""
    path = args.cache and args.cache / f"{_name(people, views, case, args)}.npz"
    if path and path.exists():
        return load(path)
    rng = np.random.default_rng([args.seed, people, views, case])
    scene = SCENES[args.scene]
    options = {"biased": args.biased, "bystanders": args.bystanders, "fps": args.fps or scene.fps}
    lenses = args.lenses or scene.lenses
    room = random_room(clips, people, views, args.seconds, rng, scene=scene, lenses=lenses, **options)
    if path:
        save(path, room)
    return room


def singles_of(room: Room, takes: Sequence[PeopleTake], name: str, args: argparse.Namespace) -> list[SinglePerson]:
    """Returns the scores of rigs that get one person each; from the cache if they are there.

    Args:
        room: The room.
        takes: (N) with the detections of one person.
        name: In the cache.
        args: Options.
    """
    path = args.cache and args.cache / f"{name}.pickle"
    if path and path.exists():
        return list(pickle.loads(path.read_bytes()))  # noqa: S301 - our own
    engine = OrtEngine(args.weights, "cpu")
    found = [score_single(run(take, 1, engine), room.joints[:, n], take.fps) for n, take in enumerate(takes)]
    if path:
        path.write_bytes(pickle.dumps(found))
    return found


def score_case(clips: Sequence[Clip], people: int, views: int, case: int, args: argparse.Namespace) -> PeopleScore:
    """Returns the score of one room."""
    return run_case(clips, people, views, case, args)[0]


def run_case(
    clips: Sequence[Clip], people: int, views: int, case: int, args: argparse.Namespace
) -> tuple[PeopleScore, Table]:
    """Returns the score of one room, and its run second by second."""
    room = room_of(clips, people, views, case, args)
    name = _name(people, views, case, args)
    take, joints = room.take(), room.joints[:, :people]
    if args.keypoints:
        write_keypoints(args.keypoints.with_stem(f"{args.keypoints.stem}_{people}_{views}_{case}"), take)
    singles: list[list[SinglePerson]] = [[], []]
    if args.alone:
        alone, apart = [room.alone(n) for n in range(people)], [separate(take, n) for n in range(people)]
        singles = [singles_of(room, alone, f"{name}_alone", args), singles_of(room, apart, f"{name}_separate", args)]
    done = run(take, people, OrtEngine(args.weights, "cpu"), args.passes)
    scored = with_cameras(score(done, joints, take.fps, *singles), done, take)
    return scored, timeline(done, joints, take.fps)


def _name(people: int, views: int, case: int, args: argparse.Namespace) -> str:
    """Returns the name of a case in the cache: everything that changes its room."""
    motion = "-".join(path.stem for path in args.motion) + ("-held" if args.held_out else "")
    bias = "biased" if args.biased else "unbiased"
    scene = "" if args.scene == "walking" else f"_{args.scene}"
    rate = f"_{args.fps:g}hz" if args.fps else ""
    lenses = args.lenses or SCENES[args.scene].lenses
    room = f"{motion}{scene}{rate}_{lenses}_{bias}_{args.bystanders}b"
    return f"{room}_{args.seconds:g}s_{args.seed}_{people}p{views}v{case}"
