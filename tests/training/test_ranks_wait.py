"""Processes of a training wait for the one that writes."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import sys, time
from pathlib import Path
from pose_rig.training.distributed import process_group
with process_group("cpu") as own:
    if own.is_main:
        time.sleep(0.3)
        Path(sys.argv[1]).write_text("written")
    own.barrier("cpu")
    assert Path(sys.argv[1]).read_text() == "written"
"""


def test_nobody_reads_before_the_first_process_has_written(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(CODE)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path / "file"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
