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


def refined(t_ns: int, centre: float, person: int = 0) -> Refined2D:
    xy, inlier = np.full((17, 2), centre, np.float32), np.ones(17, np.float32)
    return Refined2D(camera="left", index=0, t_ns=t_ns, xy=xy, inlier=inlier, person=person)


def test_every_person_has_the_detection_that_is_nearest() -> None:
    views = CameraViews({}, people=3)
    views.add(thumbnail(S, 100.0, 400.0, 250.0))
    for person, centre in ((5, 120.0), (0, 390.0), (2, 110.0)):
        views.add(refined(S, centre, person))
    message = msgspec.json.decode(next(views.take())[1])
    found = [
        (one["person"], one["raw"] and one["raw"][0][0], one["refined"] and one["refined"][0][0])
        for one in message["people"]
    ]
    assert found == [(0, 400.0, 390.0), (2, 100.0, 110.0), (5, 250.0, 120.0)]
    assert (message["raw"][0][0], message["refined"][0][0]) == (400.0, 390.0)  # of the first
    views.add(refined(2 * S, 400.0, 2))
    views.add(thumbnail(2 * S, 100.0, 400.0))
    message = msgspec.json.decode(next(views.take())[1])
    assert [(one["person"], one["raw"][0][0]) for one in message["people"]] == [(2, 400.0), (None, 100.0)]
    assert message["refined"][0][0] == 400.0
    views.add(thumbnail(2 * S))
    assert [one["raw"] for one in msgspec.json.decode(next(views.take())[1])["people"]] == [None]


def test_one_person_has_no_list() -> None:
    views = CameraViews({})
    views.add(thumbnail(S, 100.0, 400.0))
    assert "people" not in msgspec.json.decode(next(views.take())[1])


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
