import msgspec
import numpy as np

from pose_rig.web.camera_views import CameraViews, thumbnail_bytes
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Refined2D

S = 1_000_000_000


def thumbnail(t_ns: int = S, *centres: float, jpeg: bytes = b"J") -> Thumbnail:
    people = [np.full((17, 2), centre) for centre in centres]
    xy = np.array(people, np.float32).reshape(len(people), 17, 2)
    score = np.linspace(0.9, 0.5, max(len(people), 1))[: len(people), None] * np.ones(17)
    return Thumbnail(
        camera="left",
        t_ns=t_ns,
        size_px=(640, 480),
        landmarks="coco17",
        xy=xy,
        score=score.astype(np.float32),
        jpeg=jpeg,
    )


def refined(t_ns: int, centre: float) -> Refined2D:
    return Refined2D(
        camera="left", index=0, t_ns=t_ns, xy=np.full((17, 2), centre, np.float32), inlier=np.ones(17, np.float32)
    )


def test_the_person_at_the_refined_pose_is_shown() -> None:
    views = CameraViews({})
    views.add(thumbnail(S, 100.0, 400.0))
    ((name, text),) = views.take()
    first = msgspec.json.decode(text)
    assert (name, first["camera"], first["size_px"], first["landmarks"]) == ("left", "left", [640, 480], "coco17")
    assert first["raw"][0] == [100.0, 100.0, 0.9]  # the better detected one
    assert first["refined"] is None
    views.add(refined(S, 390.0))
    second = msgspec.json.decode(next(views.take())[1])
    assert second["raw"][0] == [400.0, 400.0, 0.5]
    assert second["refined"][16] == [390.0, 390.0, 1.0]
    assert list(views.take()) == []  # nothing new


def test_what_is_old_or_empty_is_not_shown() -> None:
    views = CameraViews({"left": (640, 480)})
    views.add(refined(5 * S, 390.0))
    only_refined = msgspec.json.decode(next(views.take())[1])
    assert only_refined["raw"] is None
    assert only_refined["size_px"] == [640, 480]
    views.add(thumbnail(7 * S))
    nobody_there = msgspec.json.decode(next(views.take())[1])
    assert nobody_there["raw"] is None
    assert nobody_there["refined"] is None
    views.add(refined(9 * S, 390.0))
    assert msgspec.json.decode(next(views.take())[1])["raw"] is None


def test_a_camera_of_unknown_size_waits() -> None:
    views = CameraViews({})
    views.add(refined(5 * S, 390.0))
    assert list(views.take()) == []


def test_the_bytes_of_a_thumbnail() -> None:
    assert thumbnail_bytes(thumbnail(S, 1.0, jpeg=b"JPEG")) == b"\x01\x04leftJPEG"
