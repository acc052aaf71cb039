from pathlib import Path

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.tools.takes.grouping import Takes, find_takes
from tests.session.recorded import talk, write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    """Makes files of no content that matters, and their folders."""
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".mcap":
            write(path, talk(1))
        elif path.suffix == ".npz":
            key = {"xyz": np.zeros(2)} if "poses" in path.name else {"xy": np.zeros(2)}
            np.savez(path, allow_pickle=False, **key)
        else:
            path.write_bytes(b"x")


def shown(found: Takes) -> dict[str, tuple[str, list[str]]]:
    """Returns kind and sources, relative to here, by name."""
    return {
        take.name: (take.kind, [Path(source).relative_to(Path.cwd()).as_posix() for source in take.sources])
        for take in found.takes
    }


def found(*patterns: str, out: str = "results") -> dict[str, tuple[str, list[str]]]:
    return shown(find_takes(patterns, Path(out)))


def test_the_videos_in_a_folder_are_a_take(here: Path) -> None:
    make("takes/jump/a.mp4", "takes/jump/b.MP4", "takes/day2/walk/a.mov", "takes/day2/walk/.h.mov", "takes/notes.txt")
    wanted = {"day2/walk": ("cameras", ["takes/day2/walk"]), "jump": ("cameras", ["takes/jump"])}
    assert found("takes/**") == found("takes") == found("takes/") == wanted
    assert find_takes(["takes/**"], Path("results")).ignored == 1


def test_a_folder_of_videos_does_not_hide_those_below_it(here: Path) -> None:
    make("takes/a.mp4", "takes/more/a.mp4")
    assert found("takes") == {"more": ("cameras", ["takes/more"]), "takes": ("cameras", ["takes"])}


def test_sessions_and_keypoint_files_are_a_take_each_and_poses_are_none(here: Path) -> None:
    make("takes/walk.mcap", "takes/day1/kp.npz", "takes/poses.npz", "takes/x.bvh")
    write(Path("takes/fall.mcap"), talk(1), finished=False)
    assert found("takes/**") == {
        "day1/kp": ("cameras", ["takes/day1/kp.npz"]),
        "fall": ("session", ["takes/fall.mcap.partial"]),
        "walk": ("session", ["takes/walk.mcap"]),
    }


@pytest.mark.parametrize("inside", ["pose", "pose-sync", ""])
def test_a_pose2sim_project_is_a_take_with_everything_in_it(here: Path, inside: str) -> None:
    make(f"takes/S01/{inside}/cam01_json/f_000.json", "takes/S01/videos/cam01.mp4", "takes/S01/old/t.mcap")
    assert found("takes/**") == {"S01": ("keypoints", ["takes/S01"])}
    assert found("takes/*") == {"S01": ("keypoints", ["takes/S01"])}
    assert found("takes/*/videos") == {"S01/videos": ("cameras", ["takes/S01/videos"])}


def test_a_pattern_for_files_makes_one_take_of_each_folder(here: Path) -> None:
    make(*(f"t/{s}/{take}_cam{c}.mp4" for s in ("s1", "s2") for take in ("jump", "walk") for c in (1, 2, 10)))
    jump = {
        f"{s}/jump": ("cameras", [f"t/{s}/jump_cam{c}.mp4" for c in (1, 2, 10)]) for s in ("s1", "s2")
    }  # fmt: skip
    walk = {
        f"{s}/walk": ("cameras", [f"t/{s}/walk_cam{c}.mp4" for c in (1, 2, 10)]) for s in ("s1", "s2")
    }  # fmt: skip
    assert found("t/*/jump*.mp4") == jump
    assert found("t/*/jump*.mp4", "t/*/walk*.mp4") == jump | walk
    assert list(found("t/*/*.mp4")) == ["s1", "s2"]


def test_what_the_shell_has_expanded_is_grouped_by_folder(here: Path) -> None:
    make(*(f"t/{s}/cam{c}.mp4" for s in ("s1", "s2") for c in (1, 2)))
    files = [f"t/{s}/cam{c}.mp4" for s in ("s1", "s2") for c in (1, 2)]
    assert {name: len(sources) for name, (_, sources) in found(*files).items()} == {"s1": 2, "s2": 2}
    assert list(found("t/s1", "t/s2")) == ["s1", "s2"]


def test_a_rig_toml_of_recordings_describes_its_folder_and_others_do_not(here: Path) -> None:
    make("t/a/1.mp4", "t/b/1.mp4", "t/c/1.mp4")
    Path("t/a/rig.toml").write_text('height_m = 1.6\n[[camera]]\nsource = "1.mp4"\nmirror = true\n')
    Path("t/b/rig.toml").write_text('[[camera]]\nsource = "0"\n')
    Path("t/c/rig.toml").write_text("height_m = 1.6\n")
    assert found("t") == {
        "a": ("cameras", ["t/a/rig.toml"]),
        "b": ("cameras", ["t/b"]),
        "c": ("cameras", ["t/c"]),
    }  # fmt: skip


def test_results_are_no_takes(here: Path) -> None:
    make("t/a/1.mp4", "t/out/a/overlay.mp4", "t/out/a/session.mcap", "a-poses/overlay.mp4", "a-poses/quality.json")
    assert list(found(".", out="t/out")) == ["t/a"]


def test_names_are_unique(here: Path) -> None:
    make("t/a.mcap", "t/a.npz", "t/a/1.mp4", "u/b/1.mp4", "v/b/1.mp4")
    assert found("t") == {
        "a": ("cameras", ["t/a"]),
        "a.mcap": ("session", ["t/a.mcap"]),
        "a.npz": ("cameras", ["t/a.npz"]),
    }
    assert list(found("u", "v")) == ["u/b", "v/b"]
    assert find_takes(["t/a.mcap"], Path("results")).takes[0].name == "a"


@pytest.mark.parametrize("pattern", ["takes/**", "nothing", "takes/*.mcap", "takes"])
def test_no_take_is_wrong_usage(here: Path, pattern: str) -> None:
    make("takes/notes.txt")
    with pytest.raises(UsageError, match=r"There is no take in .*\. A take is a folder of videos, a session"):
        find_takes([pattern], Path("results"))


def test_folders_with_special_signs_are_taken_literally(here: Path) -> None:
    make("takes [old]/a, b/1.mp4")
    assert list(found("takes [old]")) == ["a, b"]
