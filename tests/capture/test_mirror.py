from pathlib import Path

import numpy as np
import pytest

from pose_rig.capture.live_source import LiveSource
from pose_rig.capture.mirror import UnmirroredSource
from pose_rig.capture.source import Frame, Source, SourceInfo
from pose_rig.capture.source_factory import open_source
from pose_rig.config import CameraConfig, load
from pose_rig.skeleton import SCHEMAS, landmarks, other_side
from tests.capture.fakes import SIZE, FakeDevice, write_clip
from tests.capture.keypoints import write_keypoints


def first(source: Source) -> Frame:
    while not source.poll(0.1):
        pass
    frame = source.read()
    source.close()
    assert frame is not None
    return frame


def test_a_mirrored_video_is_flipped(tmp_path: Path) -> None:
    clip = str(write_clip(tmp_path / "a.mp4"))
    plain, turned = (
        first(open_source(CameraConfig(source=clip, mirror=mirror), "all", int)) for mirror in (False, True)
    )
    assert plain.image is not None
    assert turned.image is not None
    assert np.array_equal(turned.image, plain.image[:, ::-1])
    assert turned.image.flags.c_contiguous
    assert plain.image[2, 2].min() > 200, "the corner that tells left from right"
    assert turned.image[2, SIZE[0] - 3].min() > 200


def test_keypoints_of_mirrored_images_swap_sides(tmp_path: Path) -> None:
    xy = np.zeros((1, 2, 17, 2))
    xy[..., 0], xy[..., 1] = np.arange(17) + 10.0, 40.0
    score = np.linspace(0.3, 0.9, 34).reshape(1, 2, 17)
    score[0, 0, 3] = 0.0
    path = write_keypoints(
        tmp_path / "a.npz",
        xy=xy,
        score=score,
        t_ns=np.array([[0, 1000]]),
        size_px=np.array([[100, 80]]),
        depth=np.arange(34.0).reshape(1, 2, 17),
    )
    plain, turned = (
        first(open_source(CameraConfig(source=str(path), mirror=mirror), "all", int)).detections
        for mirror in (False, True)
    )
    assert plain is not None
    assert turned is not None
    for k, name in enumerate(SCHEMAS["coco17"]):
        other = SCHEMAS["coco17"].index(name.replace("left", "#").replace("right", "left").replace("#", "right"))
        assert turned.score[0, k] == plain.score[0, other]
        assert turned.depth[0, k] == plain.depth[0, other]
        if plain.score[0, other] > 0:
            assert turned.xy[0, k].tolist() == [100 - plain.xy[0, other, 0], 40.0], name
        else:
            assert turned.xy[0, k].tolist() == [0.0, 0.0]


def test_flipping_twice_is_the_identity(tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "a.npz")
    once = first(open_source(CameraConfig(source=str(path), mirror=True), "all", int)).detections
    plain = first(open_source(CameraConfig(source=str(path)), "all", int)).detections
    assert once is not None
    assert plain is not None
    again = write_keypoints(
        tmp_path / "b.npz", xy=np.tile(once.xy[0], (2, 12, 1, 1)), score=np.tile(once.score[0], (2, 12, 1))
    )
    back = first(open_source(CameraConfig(source=str(again), mirror=True), "all", int)).detections
    assert back is not None
    assert back.xy == pytest.approx(plain.xy)
    assert back.score == pytest.approx(plain.score)


def test_a_live_camera_reports_that_its_image_is_flipped() -> None:
    source = UnmirroredSource(LiveSource(FakeDevice(), SourceInfo("cam", "webcam, 64×48", SIZE, 100.0)))
    assert source.info.detail == "webcam, 64×48, unmirrored"
    frame = first(source)
    assert frame.image is not None
    assert frame.image[2, -3].min() > 200
    assert frame.image[2, 2].max() < 200


@pytest.mark.parametrize("schema", list(SCHEMAS))
def test_every_landmark_set_has_two_sides(schema: str) -> None:
    names = landmarks(schema).names
    other = other_side(names)
    assert [other[k] for k in other] == list(range(len(names)))
    assert all((k == other[k]) == (not {"left", "right", "l", "r"} & {*names[k].split("_")}) for k in range(len(names)))


def test_sides_are_found_in_other_spellings() -> None:
    assert other_side(("LHip", "RHip", "Nose", "l_knee", "r_knee", "LEFT_EAR")) == (1, 0, 2, 4, 3, 5)


def test_mirror_is_read_from_a_rig_file(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text('[[camera]]\nsource = "0"\nmirror = true\n[[camera]]\nsource = "1"\n')
    assert [camera.mirror for camera in load(tmp_path / "rig.toml").camera] == [True, False]
