"""Checks that two checkouts compute identical poses files.

For changes that must not touch the numerics: the same footage is fused with this checkout and with another one, and the
poses files are compared as bytes:

- three simulated cameras, with one pass and two;
- every ``--cams`` given (keypoint files, or videos joined by commas), with one pass and two;
- one live session of simulated cameras, recorded here and replayed by both; each prints how many of its poses are
  identical to those of the live run.

Example::

    git worktree add ../before main
    python -m benchmarks.same_bytes --against ../before --cams keypoints.npz --cams a.mp4,b.mp4,c.mp4

The exit code is 1 if any file differs.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.contract import ROOT

LIVE_S = 12.0
EXACT = re.compile(r"(\d+) of (\d+) poses are those of the recording to the last bit")


def pose_rig(tree: Path, *arguments: object) -> str:
    """Runs ``pose-rig`` of a checkout and returns its output.

    Raises:
        SystemExit: It failed.
    """
    entry = "pose_rig" if (tree / "pose_rig" / "__main__.py").exists() else "pose_rig.tools.cli.app"
    command = [sys.executable, "-m", entry, *map(str, arguments), "--headless"]
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{tree}: {' '.join(command)} failed.\n{done.stdout}{done.stderr}")
    return done.stdout


def jobs(cams: Sequence[str], session: Path) -> dict[str, tuple[object, ...]]:
    """Returns the commands that both checkouts run, by name; each writes a poses file."""
    whole = ("run", "--pace", "all", "--port", 0)
    runs = {
        f"{name}, {passes} pass{'es' * (passes - 1)}": (*whole, "--cams", source, "--passes", passes, *more)
        for name, source, more in (("simulated", "sim:3", ("--duration", 60)), *((cam, cam, ()) for cam in cams))
        for passes in (1, 2)
    }
    return {**runs, "live session replayed": ("replay", session, "--exact", "--port", 0)}


def fingerprint(path: Path) -> str:
    """Returns the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def differences(before: Path, after: Path) -> str:
    """Returns which keys of two poses files differ, and which only one of them has."""
    with np.load(before) as one, np.load(after) as other:
        changed = [
            key
            for key in set(one.files) & set(other.files)
            if one[key].tobytes() != other[key].tobytes() or one[key].dtype != other[key].dtype
        ]
        only = sorted(set(one.files) ^ set(other.files))
    return f" changed: {', '.join(sorted(changed)) or 'nothing'}; in one file only: {', '.join(only) or 'nothing'}"


def exact(text: str) -> str:
    """Returns how many poses a replay reproduced, from its output."""
    found = EXACT.search(text)
    return f" ({found[1]} of {found[2]} poses to the last bit)" if found else ""


def main() -> None:
    """Compares, and prints a line per command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, metavar="TREE", help="the other checkout")
    parser.add_argument("--cams", action="append", default=[], metavar="A,B", help="footage; may be given again")
    args = parser.parse_args()
    cams = [",".join(str(Path(part).resolve()) for part in text.split(",")) for text in args.cams]
    different = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        session = folder / "live.mcap"
        pose_rig(ROOT, "run", "--cams", "sim:4", "--port", 0, "--duration", LIVE_S, "--record", session)
        for number, (name, job) in enumerate(jobs(cams, session).items()):
            results = []
            for side, tree in (("before", args.against.resolve()), ("after", ROOT)):
                path = folder / f"{number}-{side}.npz"
                text = pose_rig(tree, *job, "--save", path)
                results.append((fingerprint(path), exact(text)))
            same = results[0][0] == results[1][0]
            different += not same
            why = "" if same else differences(*(folder / f"{number}-{side}.npz" for side in ("before", "after")))
            print(f"{'same     ' if same else 'DIFFERENT'} {name}: {' '.join(results[1]).strip()}{why}", flush=True)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
