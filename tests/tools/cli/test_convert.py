"""``pose-rig convert`` of several people."""

from pathlib import Path

import pytest

from tests.session.two_people import session_of_two
from tests.tools.cli.test_app import pose_rig


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return session_of_two(tmp_path / "two.mcap")


def test_everyone_is_converted_and_every_file_is_named(two: Path) -> None:
    code, output = pose_rig("convert", str(two), "--to", "bvh,trc")
    assert code == 0
    written = [line for line in output.splitlines() if line.startswith("Written: ")]
    assert [Path(line[9:-1]).name for line in written] == ["two.bvh", "two.person2.bvh", "two.trc"]


def test_numbers_of_people_begin_with_one(two: Path) -> None:
    code, output = pose_rig("convert", str(two), "--to", "csv", "--person", "2")
    assert code == 0
    assert "two.person2.csv." in output
    assert not two.with_suffix(".csv").exists()
    assert pose_rig("convert", str(two), "--to", "csv", "--person", "1")[0] == 0
    assert len(two.with_suffix(".csv").read_text().splitlines()) == 61
    code, output = pose_rig("convert", str(two), "--to", "csv", "--person", "0")
    assert code == 2
    assert "--person must be 1 or more; got 0." in output
    code, output = pose_rig("convert", str(two), "--to", "csv", "--person", "3")
    assert code == 2
    assert "Person 3 is not tracked in this part of" in output
    assert "Choose from 1, 2." in output


def test_the_file_of_a_further_person_is_not_replaced_either(two: Path) -> None:
    further = two.with_name("two.person2.bvh")
    further.write_text("mine")
    code, output = pose_rig("convert", str(two), "--to", "bvh")
    assert code == 2
    assert "two.person2.bvh exists already" in output
    assert further.read_text() == "mine"
    assert not two.with_suffix(".bvh").exists()
    assert pose_rig("convert", str(two), "--to", "bvh", "--force")[0] == 0
    assert further.read_text().startswith("HIERARCHY")
