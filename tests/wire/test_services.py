"""Names of workers and default ports are written in one place."""

import re
from pathlib import Path

import pose_rig
from pose_rig.wire import services
from pose_rig.wire.services import RESERVED_NAMES

NAME = re.compile(rf"""["']({"|".join(RESERVED_NAMES)})["']""")


def test_only_the_table_writes_the_names_of_workers() -> None:
    """The topic of `Streams` and the configuration of the fusion have the names of their workers too."""
    package = Path(pose_rig.__file__).parent
    found = {
        path.relative_to(package).as_posix() for path in package.rglob("*.py") if NAME.search(path.read_text("utf-8"))
    }
    assert found == {"wire/services.py", "wire/messages.py", "tools/arguments/config_options.py"}


def test_a_hanging_worker_has_missed_several_reports() -> None:
    reports = [value for name, value in vars(services).items() if name.endswith("_REPORT_S")]
    assert len(reports) == 7
    assert 2 * max(reports) < services.REPORT_STALE_S < services.HANG_TIMEOUT_S
