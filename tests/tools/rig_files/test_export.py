"""The files are read here as their programs read them, and must project points to where we do."""

import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.rig_files.export import FORMATS, export_rig
from pose_rig.tools.rig_files.rig_camera import RigCamera, position_m
from tests.tools.rigs import POINTS, places, project, solved

Z_UP = POINTS[:, [0, 2, 1]] * [1, -1, 1]  # x right, y forward, z up


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def projected(points: Floats, camera: dict[str, Any]) -> Floats:
    """Returns (N,2) px through one table of an anipose-like TOML, as all three programs do it, by OpenCV."""
    vector, shift = np.array(camera["rotation"]), np.array(camera["translation"])
    seen, _ = cv2.projectPoints(points, vector, shift, np.array(camera["matrix"]), np.array(camera["distortions"]))
    return np.asarray(seen[:, 0], np.float64)


def test_pose2sim_reads_a_z_up_world_that_it_turns_into_our_frame(tmp_path: Path) -> None:
    data = toml(export_rig(places(3), f"pose2sim:{tmp_path / 'Calib.toml'}"))
    assert list(data) == ["cam_01", "cam_02", "cam_03", "metadata"]
    zup = POINTS[:, [2, 0, 1]]
    np.testing.assert_array_equal(zup[:, [1, 2, 0]], POINTS)  # Pose2Sim's zup2yup: x, y, z = Y, Z, X
    for member, camera in enumerate([data[f"cam_0{number}"] for number in (1, 2, 3)]):
        assert camera["name"] == f"cam{member}"
        assert camera["size"] == [1280.0, 720.0]
        assert len(camera["distortions"]) == 4
        assert camera["fisheye"] is False
        np.testing.assert_allclose(projected(zup, camera), project(solved(member), POINTS), atol=1e-6)


def test_caliscope_reads_cameras_by_their_number(tmp_path: Path) -> None:
    rig = [*places(2), RigCamera("lost", None), RigCamera("last", solved(3))]
    data = toml(export_rig(rig, f"caliscope:{tmp_path / 'camera_array.toml'}"))["cameras"]
    assert [(key, camera["cam_id"]) for key, camera in data.items()] == [("0", 0), ("1", 1), ("3", 3)]
    for key, camera in data.items():
        assert camera["size"] == [1280, 720]
        assert len(camera["distortions"]) == 5
        np.testing.assert_allclose(projected(Z_UP, camera), project(solved(int(key)), POINTS), atol=1e-6)


def test_freemocap_reads_millimetres(tmp_path: Path) -> None:
    data = toml(export_rig(places(4), f"freemocap:{tmp_path / 'x_camera_calibration.toml'}"))
    assert sorted(data) == ["cam_0", "cam_1", "cam_2", "cam_3", "metadata"]
    for member in range(4):
        camera = data[f"cam_{member}"]
        np.testing.assert_allclose(projected(1000 * Z_UP, camera), project(solved(member), POINTS), atol=1e-6)
        x, y, z = position_m(solved(member))
        np.testing.assert_allclose(camera["world_position"], [1000 * x, -1000 * z, 1000 * y], atol=1e-9)
        np.testing.assert_allclose(
            np.array(camera["world_orientation"]).T, cv2.Rodrigues(np.array(camera["rotation"]))[0], atol=1e-9
        )


def test_more_than_ten_cameras_keep_their_order_when_sorted_as_text(tmp_path: Path) -> None:
    data = toml(export_rig(places(11), f"freemocap:{tmp_path / 'c.toml'}"))
    names = [data[key]["name"] for key in sorted(data) if key != "metadata"]
    assert names == [f"cam{member}" for member in range(11)]


def test_opencv_reads_our_own_frame(tmp_path: Path) -> None:
    rig = [RigCamera("10.0.0.7", solved(0)), RigCamera("desk", solved(1))]
    storage = cv2.FileStorage(str(export_rig(rig, f"opencv:{tmp_path / 'rig.yaml'}")), cv2.FileStorage_READ)
    nodes = storage.getNode("cameras")
    assert nodes.size() == 2
    for member, place in enumerate(rig):
        node = nodes.at(member)
        assert node.getNode("name").string() == place.name
        assert (node.getNode("image_width").real(), node.getNode("image_height").real()) == (1280, 720)
        rotation, shift, matrix, distortion = (
            node.getNode(key).mat() for key in ("R", "T", "camera_matrix", "distortion_coefficients")
        )
        seen, _ = cv2.projectPoints(POINTS, cv2.Rodrigues(rotation)[0], shift, matrix, distortion)
        np.testing.assert_allclose(seen[:, 0], project(solved(member), POINTS), atol=1e-6)
    storage.release()


@pytest.mark.parametrize("wish", ["opencv", "opencv:", "blender:rig.toml", ":rig.toml"])
def test_an_unknown_format_is_named(wish: str) -> None:
    with pytest.raises(UsageError, match=f"^Unknown export '{wish}'. Give a format and a path, such as pose2sim:"):
        export_rig(places(2), wish)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_that_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"Cannot write .*no/file: No such file or directory\. Check the folder"):
        export_rig(places(1), f"{kind}:{tmp_path / 'no' / 'file'}")
