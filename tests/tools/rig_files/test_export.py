"""The files are read here as their programs read them, and must project points to where we do."""

import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.rig_files.export import FORMATS, export_rig
from pose_rig.tools.rig_files.rig_camera import RigCamera, intrinsics_of, position_m
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


WIDE = {"focal_px": 560.0, "k1": 0.0, "distortion": (0.03, 0.002, -0.001, 0.0), "fisheye": True}
OFF_CENTRE = {"k1": 0.0, "distortion": (-0.2, 0.06, 0.001, -0.002, -0.01), "principal_point_px": (655.0, 340.0)}


def in_view(camera: SolvedCamera) -> tuple[Floats, Floats]:
    """(N,2) px over the whole image, and points (N,3) m in the rig that are seen there, by OpenCV."""
    size, lens = camera.size_px, intrinsics_of(camera)
    seen_px = np.stack(np.meshgrid(*(np.linspace(1, side - 1, 9) for side in size)), -1).reshape(-1, 1, 2)
    if camera.fisheye:
        xy = cv2.fisheye.undistortPoints(seen_px, lens.matrices[0], np.array(camera.distortion))[:, 0]
    else:
        criteria = (cv2.TERM_CRITERIA_MAX_ITER | cv2.TERM_CRITERIA_EPS, 300, 1e-12)
        xy = cv2.undistortPoints(seen_px, lens.matrices[0], np.array(camera.lens), criteria=criteria)[:, 0]
    local = 3.0 * np.concatenate([xy, np.ones((len(xy), 1))], 1)
    return seen_px[:, 0], (local - np.array(camera.translation_m)) @ np.array(camera.rotation)


def wide_projected(points: Floats, camera: dict[str, Any]) -> Floats:
    project_points = cv2.fisheye.projectPoints if camera.get("fisheye", False) else cv2.projectPoints
    matrix, distortion = np.array(camera["matrix"]), np.array(camera["distortions"], np.float64)
    vector, shift = np.array(camera["rotation"]), np.array(camera["translation"])
    return np.asarray(project_points(points[:, None], vector, shift, matrix, distortion)[0], np.float64).reshape(-1, 2)


@pytest.mark.parametrize("lens", [WIDE, OFF_CENTRE])
@pytest.mark.parametrize("kind", ["caliscope", "freemocap"])
def test_every_lens_is_exported_whole(kind: str, lens: dict[str, object], tmp_path: Path) -> None:
    camera = solved(0, **lens)
    data = toml(export_rig([RigCamera("a", camera)], f"{kind}:{tmp_path / 'c.toml'}"))
    table = data["cameras"]["0"] if kind == "caliscope" else data["cam_0"]
    seen_px, points = in_view(camera)
    world = points[:, [0, 2, 1]] * [1, -1, 1] * (1 if kind == "caliscope" else 1000)
    assert len(table["distortions"]) == (4 if camera.fisheye else 5)
    np.testing.assert_allclose(wide_projected(world, table), seen_px, atol=1e-3)


@pytest.mark.parametrize("lens", [WIDE, OFF_CENTRE])
def test_opencv_has_every_lens(lens: dict[str, object], tmp_path: Path) -> None:
    camera = solved(0, **lens)
    path = export_rig([RigCamera("a", camera)], f"opencv:{tmp_path / 'rig.yaml'}")
    storage = cv2.FileStorage(str(path), cv2.FileStorage_READ)
    node = storage.getNode("cameras").at(0)
    keys = {"matrix": "camera_matrix", "distortions": "distortion_coefficients", "translation": "T"}
    table: dict[str, Any] = {key: node.getNode(name).mat() for key, name in keys.items()}
    table |= {"rotation": cv2.Rodrigues(node.getNode("R").mat())[0], "fisheye": bool(node.getNode("fisheye").real())}
    seen_px, points = in_view(camera)
    np.testing.assert_allclose(wide_projected(points, table), seen_px, atol=1e-3)


def test_pose2sim_gets_the_nearest_perspective_lens_and_is_told_how_near(tmp_path: Path) -> None:
    mild = solved(0, focal_px=800.0, k1=0.0, distortion=(0.1, 0.012, 0.002, 0.0), fisheye=True)
    path = export_rig([RigCamera("a", mild)], f"pose2sim:{tmp_path / 'Calib.toml'}")
    stated = float(path.read_text("utf-8").split("as a perspective one: ")[1].split(" px")[0])
    seen_px, points = in_view(mild)
    off = np.linalg.norm(wide_projected(points[:, [2, 0, 1]], toml(path)["cam_01"]) - seen_px, axis=1).max()
    assert off <= stated + 0.05
    assert stated < 3.0
    assert toml(path)["cam_01"]["fisheye"] is False


def test_pose2sim_cannot_have_a_very_wide_lens(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"that of a as a perspective lens would be \d+ px off\. Export to caliscope"):
        export_rig([RigCamera("a", solved(0, **WIDE))], f"pose2sim:{tmp_path / 'Calib.toml'}")
    assert not (tmp_path / "Calib.toml").exists()


def test_pose2sim_reads_five_coefficients_too(tmp_path: Path) -> None:
    camera = solved(0, **OFF_CENTRE)
    table = toml(export_rig([RigCamera("a", camera)], f"pose2sim:{tmp_path / 'Calib.toml'}"))["cam_01"]
    seen_px, points = in_view(camera)
    np.testing.assert_allclose(wide_projected(points[:, [2, 0, 1]], table), seen_px, atol=1e-3)
