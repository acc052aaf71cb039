"""Files of every form that is read, damaged at random: what is said is never more than a sentence."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_rig.errors import PoseRigError
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoint_reader import read_keypoints
from tests.session.keypoints.test_deeplabcut_csv import table
from tests.session.keypoints.test_freemocap_npy import pixels, save
from tests.session.keypoints.test_per_camera_json import FORMS, flat, write

SIZE = [(1920, 1080)]


def openpose(folder: Path) -> Path:
    people = [{"person_id": [-1], "pose_keypoints_2d": flat()}]
    return write(folder / "a_json" / "a_000.json", {"version": 1.3, "people": people})


MAKERS: dict[str, Callable[[Path], Path]] = {
    "AlphaPose": lambda folder: write(folder / "a.json", FORMS["AlphaPose"]),
    "MMPose": lambda folder: write(folder / "a.json", FORMS["MMPose"]),
    "DeepLabCut": lambda folder: table(folder / "a.csv", people=("ann", "bob")),
    "FreeMoCap": lambda folder: save(folder / "a.npy", pixels()),
    "OpenPose": openpose,
}


@pytest.mark.parametrize("form", MAKERS)
def test_damaged_files_never_do_worse_than_a_sentence(tmp_path: Path, form: str) -> None:
    path = MAKERS[form](tmp_path)
    whole, random, refused = path.read_bytes(), np.random.default_rng(2), 0
    for turn in range(150):
        data = bytearray(whole if turn % 3 else whole[: random.integers(0, len(whole))])
        for place in random.integers(0, max(len(data), 1), 4):
            data[place : place + 1] = bytes(random.choice(list(b'{}[]",:.-9eE\n\x00\xff'), 1).tolist())
        path.write_bytes(data)
        try:
            with warnings.catch_warnings(action="ignore"):  # numpy's, about the nonsense in a header
                read_keypoints(tmp_path if form == "OpenPose" else path, ImportOptions(25.0, SIZE))
        except PoseRigError:
            refused += 1
    assert refused > 50


def test_text_that_is_no_json_at_all(tmp_path: Path) -> None:
    for text in ("", "null", "7", '"text"', json.dumps({"a": {"b": 1}})):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(PoseRigError):
            read_keypoints(tmp_path / "a.json", ImportOptions(25.0, SIZE))
