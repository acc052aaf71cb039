"""The 3D scene and the images of a session in Rerun.

| entity | content |
|---|---|
| ``person``, ``person/bones`` | joints and bones of the first person; ``person/2`` of the second, and so on |
| ``cameras/<name>`` | pose and lens of a solved camera |
| ``cameras/<name>/video`` or ``…/image`` | its images: H.264 or JPEG |
| ``cameras/<name>/detections``, ``…/limbs``, ``…/refined`` | 2D poses over the images; ``…/refined/2`` of the second |

Data are logged in columns: logged one by one, an hour would take minutes. Axes: T rows, P people, K landmarks,
J joints, B bones.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter

import numpy as np
import rerun as rr
from numpy.typing import NDArray

from pose_rig.session.draw.annotations import RAW, landmark_bones, person_colour
from pose_rig.session.draw.people import tinted, topic_of
from pose_rig.session.draw.scene import side_colour, skeleton_bones
from pose_rig.session.formats.message_arrays import CameraKeypoints, CameraRefined
from pose_rig.session.formats.poses import Poses
from pose_rig.session.reader import Session
from pose_rig.skeleton import BONES
from pose_rig.tools.rerun_view.timed_stream import TimedStream
from pose_rig.wire.messages import CameraState, RigState

LOG_RATE_HZ = 30.0
ROWS_PER_CHUNK = 3000  # Rerun searches chunk by chunk
IMAGES_PER_CHUNK = 64
JOINT_RADIUS_M, BONE_RADIUS_M = 0.018, 0.010
DETECTION_RADIUS_PX, LIMB_RADIUS_PX, REFINED_RADIUS_PX = 2.5, 0.75, 1.5
PYRAMID_DEPTH_M = 0.35  # of a drawn camera
INVISIBLE_DEPTH_M = 1e-4
UNSEEN_BRIGHTNESS = 0.35  # of joints that no camera detects
PERSON = 1  # class of the annotations
Rows = NDArray[np.int64]


def camera_path(camera: str, *parts: str) -> str:
    """Returns the entity of a camera, or one below it."""
    return rr.new_entity_path(["cameras", camera, *parts])


def log_person(poses: Poses, timed: TimedStream) -> None:
    """Logs a person: detected joints bright, others dim; nothing while they are not tracked."""
    path = topic_of("person", poses.person)
    colours = np.array([tinted(side_colour(name), poses.person) for name in poses.joints])
    bones = np.array(skeleton_bones(poses.joints))
    names = [rr.AnnotationInfo(i, name, tuple(colours[i].tolist())) for i, name in enumerate(poses.joints)]
    info = (PERSON, f"person {poses.person + 1}" if poses.person else "person")
    classes = rr.AnnotationContext([rr.ClassDescription(info=info, keypoint_annotations=names)])
    style = rr.Points3D.from_fields(
        radii=JOINT_RADIUS_M, class_ids=PERSON, keypoint_ids=list(range(len(names))), show_labels=False
    )
    timed.log_static(path, classes, style)
    timed.log_static(f"{path}/bones", rr.LineStrips3D.from_fields(radii=BONE_RADIUS_M))
    for rows in _chunks(poses.t_ns):
        tracked = poses.tracked[rows]
        xyz, score = poses.xyz[rows][tracked], poses.score[rows][tracked]
        shades = (np.where(score[..., None] > 0, 1.0, UNSEEN_BRIGHTNESS) * colours).astype(np.uint8)
        joints = rr.Points3D.columns(positions=xyz.reshape(-1, 3), colors=shades.reshape(-1, 3))
        timed.send(path, poses.t_ns[rows], joints.partition(tracked * len(colours)))
        lines = rr.LineStrips3D.columns(
            strips=xyz[:, bones].reshape(-1, 2, 3), colors=shades[:, bones[:, 1]].reshape(-1, 3)
        )
        timed.send(f"{path}/bones", poses.t_ns[rows], lines.partition(tracked * len(bones)))


def log_cameras(states: Sequence[RigState], sizes: Mapping[str, tuple[int, int]], timed: TimedStream) -> None:
    """Logs the poses of the solved cameras.

    The others are logged too, but too small to be visible: images in the 3D view need a camera in any case. ``sizes``
    are width and height of the images, px.
    """
    logged = dict[str, object]()
    for name, size_px in sizes.items():
        unsolved = CameraState(name=name, focal_px=max(size_px), size_px=size_px)
        timed.log(camera_path(name), timed.start_ns, *_camera(unsolved, False))
    for state in states:
        for camera in state.cameras:
            solved = camera.rotation is not None and camera.translation_m is not None
            pose = (
                (camera.rotation, camera.translation_m, camera.focal_px, camera.principal_point_px) if solved else None
            )
            if camera.size_px and logged.get(camera.name) != pose:
                logged[camera.name] = pose
                timed.log(camera_path(camera.name), state.t_ns, *_camera(camera, solved))


def _camera(camera: CameraState, solved: bool) -> tuple[rr.Transform3D, rr.Pinhole]:
    """Returns a camera; Rerun has no lens distortion, so that is left out."""
    transform = rr.Transform3D(
        translation=camera.translation_m if solved else (0.0, 0.0, 0.0),
        mat3x3=np.reshape(camera.rotation or (), (3, 3)) if solved else np.eye(3),
        relation=rr.TransformRelation.ChildFromParent,
    )
    lens = rr.Pinhole(
        focal_length=camera.focal_px,
        resolution=camera.size_px,
        principal_point=camera.principal_point_px,
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=PYRAMID_DEPTH_M if solved else INVISIBLE_DEPTH_M,
    )
    return transform, lens


def log_detections(keypoints: CameraKeypoints, timed: TimedStream) -> None:
    """Logs the detections of all people in a camera: points, and lines along limbs and trunk."""
    points, limbs = camera_path(keypoints.camera, "detections"), camera_path(keypoints.camera, "limbs")
    timed.log_static(points, rr.Points2D.from_fields(colors=RAW, radii=rr.Radius.ui_points(DETECTION_RADIUS_PX)))
    timed.log_static(limbs, rr.LineStrips2D.from_fields(colors=RAW, radii=rr.Radius.ui_points(LIMB_RADIUS_PX)))
    bones = np.array(landmark_bones(keypoints.schema))
    for rows in _chunks(keypoints.t_ns):
        xy, visible = keypoints.xy[rows], keypoints.score[rows] > 0
        positions = rr.Points2D.columns(positions=xy[visible])
        timed.send(points, keypoints.t_ns[rows], positions.partition(visible.sum((1, 2))))
        both = visible[..., bones].all(-1)  # (T,P,B)
        lines = rr.LineStrips2D.columns(strips=xy[:, :, bones][both])
        timed.send(limbs, keypoints.t_ns[rows], lines.partition(both.sum((1, 2))))


def log_refined(camera: str, refined: CameraRefined, timed: TimedStream) -> None:
    """Logs the refined 2D pose of a person in a camera."""
    path = topic_of(camera_path(camera, "refined"), refined.person)
    colour = person_colour(refined.person)
    timed.log_static(path, rr.LineStrips2D.from_fields(colors=colour, radii=rr.Radius.ui_points(REFINED_RADIUS_PX)))
    for rows in _chunks(refined.t_ns):
        lines = rr.LineStrips2D.columns(strips=refined.xy[rows][:, np.array(BONES)].reshape(-1, 2, 2))
        timed.send(path, refined.t_ns[rows], lines.partition([len(BONES)] * len(rows)))


def log_images(session: Session, camera: str, timed: TimedStream) -> set[str]:
    """Logs the recorded images of a camera without decoding them, and returns their formats."""
    formats = set()
    video, image = camera_path(camera, "video"), camera_path(camera, "image")
    for kind, frames in groupby(session.video_frames(camera), attrgetter("format")):
        formats.add(kind)
        if kind == "h264":
            timed.log_static(video, rr.VideoStream.from_fields(codec=rr.VideoCodec.H264))
        while chunk := list(islice(frames, IMAGES_PER_CHUNK)):
            t_ns, data = np.array([frame.t_ns for frame in chunk]), [frame.data for frame in chunk]
            if kind == "h264":
                timed.send(video, t_ns, rr.VideoStream.columns(sample=data))
            else:
                timed.send(image, t_ns, rr.EncodedImage.columns(blob=data, media_type=["image/jpeg"] * len(data)))
    return formats


def _chunks(t_ns: NDArray[np.int64]) -> Iterator[Rows]:
    """Yields the rows to log, some thousand at a time, at `LOG_RATE_HZ` at most."""
    if not len(t_ns):
        return
    step = 1
    if len(t_ns) > 1:
        step = max(1, round(1e9 / LOG_RATE_HZ / max(float(np.median(np.diff(t_ns))), 1.0)))
    rows = np.arange(0, len(t_ns), step)
    yield from np.array_split(rows, range(ROWS_PER_CHUNK, len(rows), ROWS_PER_CHUNK))
