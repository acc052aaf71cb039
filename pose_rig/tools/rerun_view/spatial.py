"""What Rerun shows of a session in space and on pictures.

| entity | what |
|---|---|
| ``person``, ``person/bones`` | joints and bones |
| ``cameras/<name>`` | where a solved camera stands, and its lens |
| ``cameras/<name>/video`` or ``…/image`` | its pictures: H.264, or JPEG |
| ``cameras/<name>/detections``, ``…/limbs``, ``…/refined`` | what lies over them |

Data go in columns: message by message an hour would take minutes. Axes: T rows, P people, K landmarks, J joints,
B bones.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter

import numpy as np
import rerun as rr
from numpy.typing import NDArray

from pose_rig.session.draw.annotations import RAW, REFINED, landmark_bones
from pose_rig.session.draw.scene import side_colour, skeleton_bones
from pose_rig.session.formats.message_arrays import CameraKeypoints, CameraRefined
from pose_rig.session.formats.poses import Poses
from pose_rig.session.reader import Session
from pose_rig.skeleton import BONES
from pose_rig.tools.rerun_view.timeline import SessionClock
from pose_rig.wire.messages import CameraState, RigState

SHOWN_HZ = 30.0
ROWS_AT_ONCE = 3000  # Rerun looks things up chunk by chunk
PICTURES_AT_ONCE = 64
JOINT_M, BONE_M = 0.018, 0.010  # radii
RAW_PX, LIMB_PX, REFINED_PX = 2.5, 0.75, 1.5  # radii
PYRAMID_M, HIDDEN_M = 0.35, 1e-4  # depth of a drawn camera
GUESSED = 0.35  # brightness of what is guessed
PERSON = 1  # class of the annotations
Rows = NDArray[np.int64]


def camera_path(camera: str, *parts: str) -> str:
    """Returns the entity of a camera, or one below it."""
    return rr.new_entity_path(["cameras", camera, *parts])


def log_person(poses: Poses, clock: SessionClock, to: rr.RecordingStream) -> None:
    """Logs somebody in space: bright where seen, dim where guessed, nothing while nobody is seen."""
    colours = np.array([side_colour(name) for name in poses.joints])
    bones = np.array(skeleton_bones(poses.joints))
    names = [rr.AnnotationInfo(i, name, tuple(colours[i].tolist())) for i, name in enumerate(poses.joints)]
    classes = rr.AnnotationContext([rr.ClassDescription(info=(PERSON, "person"), keypoint_annotations=names)])
    looks = rr.Points3D.from_fields(
        radii=JOINT_M, class_ids=PERSON, keypoint_ids=list(range(len(names))), show_labels=False
    )
    to.log("person", classes, looks, static=True)
    to.log("person/bones", rr.LineStrips3D.from_fields(radii=BONE_M), static=True)
    tracked = poses.tracked
    for rows in _blocks(poses.t_ns):
        seen = tracked[rows]
        xyz, score = poses.xyz[rows][seen], poses.score[rows][seen]
        shades = (np.where(score[..., None] > 0, 1.0, GUESSED) * colours).astype(np.uint8)
        when = clock.columns(poses.t_ns[rows])
        joints = rr.Points3D.columns(positions=xyz.reshape(-1, 3), colors=shades.reshape(-1, 3))
        to.send_columns("person", when, joints.partition(seen * len(colours)))
        lines = rr.LineStrips3D.columns(
            strips=xyz[:, bones].reshape(-1, 2, 3), colors=shades[:, bones[:, 1]].reshape(-1, 3)
        )
        to.send_columns("person/bones", when, lines.partition(seen * len(bones)))


def log_places(
    states: Sequence[RigState], sizes: Mapping[str, tuple[int, int]], clock: SessionClock, to: rr.RecordingStream
) -> None:
    """Logs where the solved cameras stand.

    The others are there too, but too small to be seen, as pictures in space need a camera in any case.

    Args:
        states: What the rig said.
        sizes: Width and height of every camera's pictures, px.
        clock: The timelines.
        to: Where to.
    """
    shown = dict[str, object]()
    for name, size_px in sizes.items():
        clock.set(clock.start_ns, to)
        to.log(camera_path(name), *_place(CameraState(name=name, focal_px=max(size_px), size_px=size_px), False))
    for state in states:
        for camera in state.cameras:
            solved = camera.rotation is not None and camera.translation_m is not None
            place = (camera.rotation, camera.translation_m, camera.focal_px) if solved else None
            if camera.size_px and shown.get(camera.name) != place:
                shown[camera.name] = place
                clock.set(state.t_ns, to)
                to.log(camera_path(camera.name), *_place(camera, solved))


def _place(camera: CameraState, solved: bool) -> tuple[rr.Transform3D, rr.Pinhole]:
    """Returns a camera; Rerun knows no bent lenses, so k1 is left out."""
    transform = rr.Transform3D(
        translation=camera.translation_m if solved else (0.0, 0.0, 0.0),
        mat3x3=np.reshape(camera.rotation or (), (3, 3)) if solved else np.eye(3),
        relation=rr.TransformRelation.ChildFromParent,
    )
    lens = rr.Pinhole(
        focal_length=camera.focal_px,
        resolution=camera.size_px,
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=PYRAMID_M if solved else HIDDEN_M,
    )
    return transform, lens


def log_detections(seen: CameraKeypoints, clock: SessionClock, to: rr.RecordingStream) -> None:
    """Logs what a camera's detector saw of all people: dots, and lines along limbs and trunk."""
    dots, limbs = camera_path(seen.camera, "detections"), camera_path(seen.camera, "limbs")
    to.log(dots, rr.Points2D.from_fields(colors=RAW, radii=rr.Radius.ui_points(RAW_PX)), static=True)
    to.log(limbs, rr.LineStrips2D.from_fields(colors=RAW, radii=rr.Radius.ui_points(LIMB_PX)), static=True)
    bones = np.array(landmark_bones(seen.schema))
    for rows in _blocks(seen.t_ns):
        xy, there = seen.xy[rows], seen.score[rows] > 0
        when = clock.columns(seen.t_ns[rows])
        to.send_columns(dots, when, rr.Points2D.columns(positions=xy[there]).partition(there.sum((1, 2))))
        both = there[..., bones].all(-1)  # (T,P,B)
        lines = rr.LineStrips2D.columns(strips=xy[:, :, bones][both])
        to.send_columns(limbs, when, lines.partition(both.sum((1, 2))))


def log_refined(camera: str, refined: CameraRefined, clock: SessionClock, to: rr.RecordingStream) -> None:
    """Logs a camera's refined 2D pose."""
    path = camera_path(camera, "refined")
    to.log(path, rr.LineStrips2D.from_fields(colors=REFINED, radii=rr.Radius.ui_points(REFINED_PX)), static=True)
    for rows in _blocks(refined.t_ns):
        lines = rr.LineStrips2D.columns(strips=refined.xy[rows][:, np.array(BONES)].reshape(-1, 2, 2))
        to.send_columns(path, clock.columns(refined.t_ns[rows]), lines.partition([len(BONES)] * len(rows)))


def log_pictures(session: Session, camera: str, clock: SessionClock, to: rr.RecordingStream) -> set[str]:
    """Logs the recorded pictures of a camera as they are, not decoded, and returns their formats."""
    formats = set()
    for kind, pictures in groupby(session.video_frames(camera), attrgetter("format")):
        formats.add(kind)
        if kind == "h264":
            to.log(camera_path(camera, "video"), rr.VideoStream.from_fields(codec=rr.VideoCodec.H264), static=True)
        while block := list(islice(pictures, PICTURES_AT_ONCE)):
            when = clock.columns(np.array([picture.t_ns for picture in block]))
            data = [picture.data for picture in block]
            if kind == "h264":
                to.send_columns(camera_path(camera, "video"), when, rr.VideoStream.columns(sample=data))
            else:
                images = rr.EncodedImage.columns(blob=data, media_type=["image/jpeg"] * len(data))
                to.send_columns(camera_path(camera, "image"), when, images)
    return formats


def _blocks(t_ns: NDArray[np.int64]) -> Iterator[Rows]:
    """Yields the rows that are shown, some thousand at a time: 60 Hz are halved."""
    if not len(t_ns):
        return
    step = 1
    if len(t_ns) > 1:
        step = max(1, round(1e9 / SHOWN_HZ / max(float(np.median(np.diff(t_ns))), 1.0)))
    rows = np.arange(0, len(t_ns), step)
    yield from np.array_split(rows, range(ROWS_AT_ONCE, len(rows), ROWS_AT_ONCE))
