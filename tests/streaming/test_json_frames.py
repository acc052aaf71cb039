import json
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.humanoid.bones import BONES, PARENTS, RestPose, forward_kinematics
from pose_rig.streaming.axes import AXES, RIG, UNITY, UNREAL
from pose_rig.streaming.json_frames import JsonEncoder, SchemaCache, frame, schema
from pose_rig.wire.messages import Refined2D
from tests.streaming.live import live
from tests.streaming.people import ALL, person

S = 1_000_000_000


def test_the_schema_describes_the_frames() -> None:
    subject = person(1, seconds=0.2)
    decoded = json.loads(schema(live(subject, cameras={"left": (1280, 720)}), UNREAL))
    assert decoded["type"] == "schema"
    assert decoded["version"] == 1
    assert (decoded["axes"], decoded["unit"]) == ("unreal", "cm")
    assert (decoded["handedness"], decoded["up"], decoded["forward"], decoded["quaternion"]) == (
        "left",
        "+z",
        "+y",
        "xyzw",
    )
    assert decoded["joints"] == list(ALL)
    assert len(decoded["parents"]) == len(ALL)
    assert decoded["joints"][decoded["parents"][ALL.index("left_heel")]] == "l_ankle"
    assert decoded["bones"] == list(BONES)
    assert decoded["bone_parents"] == list(PARENTS)
    assert decoded["cameras"] == {"left": [1280, 720]}
    assert (decoded["mode"], decoded["height_assumed"]) == ("solved", False)


@pytest.mark.parametrize("axes", AXES.values(), ids=lambda axes: axes.name)
def test_joints_follow_from_schema_and_frame(axes: object) -> None:
    """The forward kinematics of docs/wire.md, in the client's axes."""
    assert isinstance(axes, type(RIG))
    subject = person(2, seconds=0.5)
    pose = live(subject, 7)
    decoded, seen = json.loads(schema(pose, axes)), json.loads(frame(pose, axes))
    rest = np.array(decoded["rest"])
    place, _ = forward_kinematics(RestPose(rest, rest), np.array(seen["root"]), np.array(seen["rotations"]))
    wanted, _ = forward_kinematics(subject.rest, subject.root[7], subject.rotation[7])
    np.testing.assert_allclose(place / axes.per_m, axes.points(wanted) / axes.per_m, atol=2e-3)
    np.testing.assert_allclose(seen["joints"], axes.points(subject.xyz[7]), atol=1e-4 * axes.per_m)


def test_a_frame_has_index_timestamp_age_and_mode() -> None:
    decoded = json.loads(frame(live(person(1, seconds=0.2), 4, lead_ms=12.34, tracking=0), RIG))
    assert (decoded["type"], decoded["index"], decoded["age_ms"], decoded["lead_ms"]) == ("frame", 4, 20.0, 12.3)
    assert (decoded["mode"], decoded["tracking"], decoded["score"][0]) == ("solved", 0, 1.0)
    assert "refined" not in decoded


def test_refined_2d_poses_are_optional() -> None:
    view = Refined2D(
        camera="left", index=1, t_ns=5, xy=np.full((17, 2), 3.14159, np.float32), inlier=np.ones(17, np.float32)
    )
    decoded = json.loads(frame(live(person(1, seconds=0.2), refined={"left": view}), RIG, refined=True))
    assert decoded["refined"] == {"left": {"xy": [[3.1, 3.1]] * 17, "inlier": [1.0] * 17}}


def test_several_people_are_beside_the_fields_of_the_first() -> None:
    one, other = live(person(1, seconds=0.2), 4), live(person(2, seconds=0.2), 4, person=3, tracking=0, height_m=1.5)
    first = replace(one, people=(one, other))
    alone, both = json.loads(frame(one, UNITY)), json.loads(frame(first, UNITY))
    assert "person" not in alone
    assert {key: both[key] for key in alone} == alone
    assert both["person"] == 0
    assert [sorted(each) for each in both["people"]] == [
        ["joints", "person", "root", "rotations", "score", "tracking"]
    ] * 2
    assert [(each["person"], each["tracking"]) for each in both["people"]] == [(0, 1), (3, 0)]
    assert both["people"][0]["joints"] == both["joints"] != both["people"][1]["joints"]
    assert "refined" in json.loads(frame(first, UNITY, refined=True))["people"][1]
    described = json.loads(schema(first, UNITY))
    assert [(each["person"], each["height_m"]) for each in described["people"]] == [(0, one.height_m), (3, 1.5)]
    assert described["people"][1]["rest"] != described["rest"] == described["people"][0]["rest"]
    assert json.loads(frame(other, UNITY))["person"] == 3
    assert "people" not in json.loads(schema(other, UNITY))


def test_the_schema_is_encoded_again_when_people_come_and_go() -> None:
    one, other = live(person(1, seconds=0.2)), live(person(2, seconds=0.2), person=1)
    cache = SchemaCache(UNITY)
    both = cache.get(replace(one, people=(one, other)))
    assert cache.get(replace(one, index=9, people=(replace(one, index=9), replace(other, tracking=0)))) is both
    assert len(json.loads(cache.get(replace(one, people=(one,))))["people"]) == 1
    assert json.loads(cache.get(replace(one, people=())))["people"] == []


def test_the_schema_is_encoded_again_only_when_it_changes() -> None:
    subject, other = person(1, seconds=0.2), person(2, seconds=0.2)
    decoded = SchemaCache(UNITY)
    first = decoded.get(live(subject))
    assert decoded.get(live(subject, 3)) is first
    assert decoded.get(live(subject, rest=other.rest)) != first
    assert json.loads(decoded.get(live(subject, mode="cold")))["mode"] == "cold"
    assert decoded.get(live(subject)) == first


def test_over_udp_the_schema_is_sent_first_each_second_and_when_it_changes() -> None:
    subject = person(1, seconds=0.2)
    encoder = JsonEncoder(UNITY)

    def kinds(pose: object, at_s: float) -> list[str]:
        return [json.loads(data)["type"] for data in encoder.encode(pose, round(at_s * S))]  # type: ignore[arg-type]

    pose = live(subject)
    assert kinds(pose, 1.0) == ["schema", "frame"]
    assert kinds(pose, 1.5) == ["frame"]
    assert kinds(pose, 2.1) == ["schema", "frame"]
    assert kinds(live(subject, mode="cold"), 2.2) == ["schema", "frame"]
