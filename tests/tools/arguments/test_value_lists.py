from pathlib import Path

import pytest

from pose_rig.tools.arguments.value_lists import split_paths, split_values


def test_commas_and_repetition_are_equivalent() -> None:
    assert split_values(["a, b", "c"]) == split_values(["a", "b", "c"]) == split_values(["a,b,c"]) == ("a", "b", "c")
    assert split_values(["a,"]) == ("a", "")


def test_commas_stay_in_the_names_of_files_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one, two.mp4", "a.mp4", "a.mp4,b.mp4,c.mp4"):
        Path(name).touch()
    assert split_paths(["one, two.mp4"]) == ("one, two.mp4",)
    assert split_paths(["0,one, two.mp4, a.mp4"]) == ("0", "one, two.mp4", "a.mp4")
    assert split_paths(["a.mp4,b.mp4"]) == ("a.mp4", "b.mp4")
    assert split_paths(["a.mp4,b.mp4,c.mp4"]) == ("a.mp4,b.mp4,c.mp4",)
    assert split_paths(["x" * 300 + "," + "y" * 300]) == ("x" * 300, "y" * 300)


def test_a_tilde_is_the_home_folder_in_every_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert split_paths(["~/a.mp4, ~/b.mp4", "c~d.mp4"]) == (f"{tmp_path}/a.mp4", f"{tmp_path}/b.mp4", "c~d.mp4")
    (tmp_path / "x,y.mp4").touch()
    assert split_paths(["~/x,y.mp4,2"]) == (f"{tmp_path}/x,y.mp4", "2")
