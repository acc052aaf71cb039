import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer import Typer
from typer.testing import CliRunner

from pose_rig.session.reader import Session
from pose_rig.tools.cli.command import as_command
from pose_rig.tools.cli.view import view
from pose_rig.video.encoder import JpegEncoder, open_h264
from pose_rig.wire.records import VideoFrame
from tests.session.drawable import BODY, FOCAL_PX, NAMES, POSITION_M, seen
from tests.tools.sessions import (
    FRAME_NS,
    FRAMES,
    GONE,
    MISSING,
    SECOND_FROM,
    SOLVED_FROM,
    START_NS,
    imported,
    sample,
    two_people,
    unsolved,
    write_session,
)  # fmt: skip

chunks = pytest.importorskip("rerun.chunk", reason="needs pip install pose-rig[view]")
rerun_file = pytest.importorskip("pose_rig.tools.rerun_view.rrd_file")

IMAGES = 5


class Logged:
    """What a Rerun recording holds: columns of every entity, in the order of their time."""

    def __init__(self, path: Path) -> None:
        self.columns: dict[str, dict[str, list[Any]]] = {}
        for chunk in chunks.RrdReader(path).stream().to_chunks():
            batch = chunk.to_record_batch()
            into = self.columns.setdefault(chunk.entity_path, {})
            for name in batch.schema.names:
                column = batch.column(name)
                into.setdefault(name, []).extend((column.cast("int64") if name == "time" else column).to_pylist())

    def arrays(self, entity: str, component: str) -> list[NDArray[np.float64]]:
        return [np.array(row if row is not None else []) for row in self.columns[entity][component]]

    def events(self) -> list[str]:
        return [f"{level[0]}: {text[0]}" for level, text in zip(
            self.columns["/log"]["TextLog:level"], self.columns["/log"]["TextLog:text"], strict=True)]  # fmt: skip


def images(camera: str, encoder: Any) -> list[VideoFrame]:
    frames = []
    for i in range(IMAGES):
        t_ns = START_NS + i * FRAME_NS
        kind, keyframe, data = encoder.encode(t_ns, np.full((64, 64, 3), 40 * i, np.uint8))
        frames.append(VideoFrame(
            camera=camera, index=i, t_ns=t_ns, size_px=(64, 64), format=kind, keyframe=keyframe, data=data
        ))  # fmt: skip
    return frames


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    messages = [*sample(), *images("cam0", open_h264((64, 64))), *images("cam1", JpegEncoder())]
    return write_session(tmp_path_factory.mktemp("session") / "S.mcap", messages)


@pytest.fixture(scope="module")
def logged(session: Path) -> Logged:
    path = session.with_suffix(".rrd")
    with Session(session) as opened:
        assert rerun_file.write_rrd(opened, path) == {"h264", "jpeg"}
    return Logged(path)


def test_joints_and_bones_are_logged_while_a_person_is_tracked(logged: Logged) -> None:
    joints = [row for row in logged.arrays("/person", "Points3D:positions") if row.ndim]
    assert [len(row) for row in joints] == [0 if i in GONE else len(NAMES) for i in range(FRAMES)]
    np.testing.assert_allclose(joints[0][:17], BODY, atol=1e-6)
    bones = logged.arrays("/person/bones", "LineStrips3D:strips")
    np.testing.assert_allclose(bones[0][0], BODY[[0, 1]], atol=1e-6)
    names = str(logged.columns["/person"]["AnnotationContext:context"])
    assert "l_wrist" in names
    assert "left_thumb" in names


def test_several_people_are_logged(tmp_path: Path) -> None:
    with Session(write_session(tmp_path / "S.mcap", two_people())) as opened:
        rerun_file.write_rrd(opened, tmp_path / "S.rrd")
    logged = Logged(tmp_path / "S.rrd")
    joints = [row for row in logged.arrays("/person/3", "Points3D:positions") if row.ndim]
    assert [len(row) for row in joints] == [len(NAMES)] * (FRAMES - SECOND_FROM)
    np.testing.assert_allclose(joints[0][:, 0] - BODY[0, 0], 1.0 + 0.01 * SECOND_FROM, atol=1.0)
    assert [len(row) for row in logged.arrays("/person", "Points3D:positions") if row.ndim][:2] == [len(NAMES)] * 2
    lines = logged.arrays("/cameras/cam0/refined/3", "LineStrips2D:strips")
    np.testing.assert_allclose(lines[-1][0], seen(0)[[0, 1]] + 50, atol=1e-4)
    assert "/reprojection_error/3" in logged.columns


def test_timelines_are_seconds_from_the_start_and_pose_indices(logged: Logged) -> None:
    person = logged.columns["/person"]
    assert person["time"] == [i * FRAME_NS for i in range(FRAMES)]
    assert [frame for frame in person["frame"] if frame is not None] == list(range(FRAMES))
    later = logged.columns["/cameras/cam1/detections"]["frame"]
    assert [frame for frame in later if frame is not None] == [i for i in range(FRAMES) if i not in MISSING]
    assert "log_time" not in person


def test_cameras_have_their_poses_once_they_are_solved(logged: Logged) -> None:
    for camera, position in enumerate(POSITION_M):
        columns = logged.columns[f"/cameras/cam{camera}"]
        assert columns["frame"] == [0, SOLVED_FROM]
        rotation = np.reshape(columns["Transform3D:mat3x3"][1], (3, 3)).T
        np.testing.assert_allclose(-rotation.T @ columns["Transform3D:translation"][1][0], position, atol=1e-6)
        assert columns["Pinhole:image_from_camera"][1][0][:1] == [FOCAL_PX]
        hidden, shown = (row[0] for row in columns["Pinhole:image_plane_distance"])
        assert hidden < 0.001 < 0.1 < shown


def test_raw_and_refined_2d_are_drawn_over_the_images(logged: Logged) -> None:
    dots = [row for row in logged.arrays("/cameras/cam0/detections", "Points2D:positions") if row.ndim == 2]
    np.testing.assert_allclose(dots[0], seen(0)[:16], atol=1e-4)  # one wrist is not seen
    both = [row for row in logged.arrays("/cameras/cam1/detections", "Points2D:positions") if row.ndim == 2]
    assert len(both[0]) == 2 * 16
    limbs = logged.columns["/cameras/cam0/limbs"]["LineStrips2D:strips"]
    assert all(np.isfinite(np.array(row)).all() for row in limbs if row)
    lines = logged.arrays("/cameras/cam0/refined", "LineStrips2D:strips")
    np.testing.assert_allclose(lines[-1][0], seen(0)[[0, 1]], atol=1e-4)


def test_images_are_those_that_were_recorded(session: Path, logged: Logged) -> None:
    with Session(session) as opened:
        recorded = {camera: [picture.data for picture in opened.video_frames(camera)] for camera in opened.cameras}
    video, image = logged.columns["/cameras/cam0/video"], logged.columns["/cameras/cam1/image"]
    samples = [bytes(row[0]) for row in video["VideoStream:sample"] if row]
    assert samples == recorded["cam0"]
    assert [bytes(row[0]) for row in image["EncodedImage:blob"]] == recorded["cam1"]
    assert image["EncodedImage:media_type"] == [["image/jpeg"]] * IMAGES


def test_agreement_error_latency_and_mode_are_time_series(logged: Logged) -> None:
    def curve(entity: str) -> list[float]:
        return [row[0] for row in logged.columns[entity]["Scalars:scalars"] if row]

    assert curve("/agreement/cam1") == [0.9] * 6
    assert curve("/reprojection_error") == [2.0] * (FRAMES - len(GONE))
    assert curve("/latency")[:2] == pytest.approx([20.0, 20.1])
    assert curve("/mode") == [0.0] * SOLVED_FROM + [2.0] * (FRAMES - SOLVED_FROM)


def test_events_are_logged_as_text(logged: Logged) -> None:
    assert logged.events() == [
        "INFO: The rig is settled.",
        "INFO: Marker 1: take 1",
        "INFO: The rig is solved.",
        "WARN: cam1: 5 frames missing, dropped.",
        "ERROR: cam1: Too slow.",
    ]


@pytest.mark.parametrize("messages", [imported, unsolved])
def test_an_incomplete_session_is_written(messages: Any, tmp_path: Path) -> None:
    path = write_session(tmp_path / "S.mcap", messages(), "import")
    with Session(path) as opened:
        assert rerun_file.write_rrd(opened, tmp_path / "S.rrd") == set()
    entities = Logged(tmp_path / "S.rrd").columns
    assert "/cameras/cam0/detections" in entities
    assert "/cameras/cam0/image" not in entities


def command(*arguments: object) -> tuple[int, str]:
    app = Typer()
    app.command()(as_command(view))
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_command_saves_a_recording(session: Path, tmp_path: Path) -> None:
    code, output = command(session, "--save", tmp_path / "S.rrd")
    assert code == 0
    assert output.endswith(f"Written: {tmp_path / 'S.rrd'}.\n")
    assert Logged(tmp_path / "S.rrd").columns
    code, output = command(session, "--save", tmp_path / "no" / "S.rrd")
    assert code == 2
    assert f"Cannot write {tmp_path / 'no' / 'S.rrd'}.\nMake sure that the folder" in output
    assert command("no.mcap", "--save", tmp_path / "S.rrd")[0] != 0


WITHOUT_RERUN = """
import sys
sys.modules["rerun"] = None  # as if it were not installed
from typer import Typer
from pose_rig.tools.cli.command import as_command
from pose_rig.tools.cli.view import view
app = Typer()
app.command()(as_command(view))
app(sys.argv[1:])
"""


def test_without_rerun_the_error_tells_how_to_install_it(session: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RERUN, str(session)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "Error: The Rerun viewer is not installed." in done.stderr
    assert "pip install 'pose-rig[view]'" in done.stderr
