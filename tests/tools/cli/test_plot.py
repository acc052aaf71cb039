import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from typer import Typer
from typer.testing import CliRunner

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.poses_file import write_poses
from pose_rig.session.reader import Session
from pose_rig.tools.cli.command import as_command
from pose_rig.tools.cli.plot import plot
from pose_rig.tools.report.data import CameraTrack, ReportData, poses_file_data, session_data
from pose_rig.tools.report.motion_plots import top_view, trajectory_plot
from pose_rig.tools.report.page import write_report
from pose_rig.tools.report.plot_style import DPI, GAP_COLOUR, WIDTH_IN
from pose_rig.tools.report.rig_plots import binned_percentiles, latency_plot, spans, timeline
from pose_rig.tools.report.statistics import camera_statistics, session_statistics
from tests.session.drawable import POSITION_M, pose
from tests.tools.sessions import (
    FRAME_NS,
    FRAMES,
    GONE,
    SECOND_FROM,
    imported,
    sample,
    two_people,
    unsolved,
    write_session,
)

FRAME_S = FRAME_NS * 1e-9


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("session") / "S.mcap", sample())


def data_of(path: Path) -> ReportData:
    with Session(path) as opened:
        return session_data(opened)


def test_times_are_seconds_from_the_start_of_the_session(session: Path) -> None:
    data = data_of(session)
    assert data.origin == "live"
    assert data.duration_s == pytest.approx((FRAMES - 1) * FRAME_S, abs=0.01)
    assert data.poses_s[[0, -1]] == pytest.approx([0.0, (FRAMES - 1) * FRAME_S])
    first, second = data.cameras
    assert (len(first.frames_s), len(second.frames_s)) == (60, 55)
    assert [(round(gap.from_s / FRAME_S), round(gap.to_s / FRAME_S)) for gap in second.gaps] == [(29, 35)]
    assert (first.missing, second.missing) == (0, 5)
    ((at_s, text),) = data.markers
    assert (round(at_s / FRAME_S), text) == (10, "take 1")
    assert first.agreement.tolist() == [0.9] * 6
    for camera, position in zip(data.cameras, POSITION_M, strict=True):
        assert camera.position_m is not None
        np.testing.assert_allclose(camera.position_m, position, atol=1e-9)


def test_statistics_of_a_session(session: Path) -> None:
    figures = dict(session_statistics(data_of(session)))
    assert figures["poses"] == "60, 30 per second"
    assert figures["person tracked"] == "90 % of the time"
    assert figures["rig"] == "solved after 0.7 s, for 67 % of the time"
    assert figures["body height"] == "1.70 m, assumed"
    assert figures["latency"] == "23 ms, 95 % below 26 ms"
    assert figures["bone lengths"].startswith("vary by 0.0 %")
    assert camera_statistics(data_of(session).cameras[1]) == ("cam1", "55", "27.5", "5 (8.3 %)", "0.90")


def test_an_html_report_contains_its_statistics_and_plots(session: Path, tmp_path: Path) -> None:
    write_report(data_of(session), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "http" not in page
    assert "<td>solved after 0.7 s, for 67 % of the time</td>" in page
    assert "<td>5 (8.3 %)</td>" in page
    pictures = [base64.b64decode(found) for found in re.findall(r"base64,([^\"]+)", page)]
    assert len(pictures) == 8
    for picture in pictures:
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[1] == round(WIDTH_IN * DPI)
        assert image.std() > 5


def test_a_png_report_is_one_tall_page_in_which_gaps_are_red(session: Path, tmp_path: Path) -> None:
    write_report(data_of(session), tmp_path / "r.png", ["head"])
    image = cv2.imread(str(tmp_path / "r.png"))
    assert image is not None
    assert image.shape[1] == round(WIDTH_IN * DPI)
    assert image.shape[0] > 3 * image.shape[1]
    alarm = [int(GAP_COLOUR[i : i + 2], 16) for i in (5, 3, 1)]
    rows, columns = np.nonzero((abs(image.astype(int) - alarm) < 3).all(-1))
    width = 1 - 1.3 / WIDTH_IN
    middle = (0.95 / WIDTH_IN + width * 32 / (FRAMES - 1)) * image.shape[1]
    assert columns.mean() == pytest.approx(middle, abs=5)
    assert np.ptp(rows) < 60


@pytest.mark.parametrize(
    ("messages", "pictures", "text"),
    [(imported, 2, "none: `pose-rig replay` computes them"), (unsolved, 2, "never solved; cold")],
)
def test_plots_without_data_are_left_out(messages: object, pictures: int, text: str, tmp_path: Path) -> None:
    assert callable(messages)
    write_report(data_of(write_session(tmp_path / "S.mcap", messages(), "import")), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<img") == pictures
    assert text in page


def test_a_rig_that_is_never_solved_is_reported(tmp_path: Path) -> None:
    data = data_of(write_session(tmp_path / "S.mcap", [pose(i * FRAME_NS, mode="cold", index=i) for i in range(3)]))
    assert data.poses is not None
    figure = top_view(data)
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "The rig was never solved, so positions in the room are unknown."
    ]


def test_a_report_shows_every_person(tmp_path: Path) -> None:
    path = write_session(tmp_path / "S.mcap", two_people())
    data = data_of(path)
    write_report(data, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<img") == 8 + 4  # and error, joints, angles and bones of the second person
    figures = dict(session_statistics(data))
    assert figures["people"] == "2"
    assert figures["person 1"] == "90 % of the time, 1.70 m assumed, bones ±0.0 %"
    assert figures["person 3"] == "83 % of the time, 1.55 m, bones ±0.0 %"
    first, second = data.people()
    assert (first.whose, second.whose, second.others) == (" of person 1", " of person 3", ())
    assert second.poses_s[0] == pytest.approx(SECOND_FROM * FRAME_NS * 1e-9)
    assert [one.get_text() for one in timeline(data).axes[0].get_yticklabels()] == [
        "mode", "person 1", "person 3", "cam0", "cam1"
    ]  # fmt: skip
    paths = [one for one in top_view(data).axes[0].get_lines() if str(one.get_label()).startswith("person")]
    assert [one.get_label() for one in paths] == ["person 1", "person 3"]
    away_m = np.nanmean(np.asarray(paths[1].get_xdata())) - np.nanmean(np.asarray(paths[0].get_xdata()))
    assert away_m == pytest.approx(1.0, abs=0.1)


def test_a_poses_file_of_two_people_is_reported(tmp_path: Path) -> None:
    with Session(write_session(tmp_path / "S.mcap", two_people())) as opened:
        write_poses(tmp_path / "poses.npz", opened.people())
    data = poses_file_data(tmp_path / "poses.npz")
    assert [one.poses.person for one in data.people() if one.poses] == [0, 2]
    assert data.others[0][1][0] == pytest.approx(SECOND_FROM * FRAME_NS * 1e-9)
    write_report(data, tmp_path / "r.png", ["head"])


def test_a_poses_file_is_reported_too(session: Path, tmp_path: Path) -> None:
    with Session(session) as opened:
        write_poses(tmp_path / "poses.npz", opened.poses())
    data = poses_file_data(tmp_path / "poses.npz")
    write_report(data, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "a poses file: no cameras, no latency" in page
    assert data.poses is not None
    assert latency_plot(data, data.poses) is None
    assert page.count("<img") == 6


def lines(figure: Figure) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return [np.asarray(line.get_ydata(), float) for line in figure.axes[0].get_lines()]


def test_trajectories_are_interrupted_where_no_person_is_tracked(session: Path) -> None:
    data = data_of(session)
    assert data.poses is not None
    (trajectory,) = lines(trajectory_plot(data, data.poses, ["pelvis"]))
    assert np.flatnonzero(np.isnan(trajectory)).tolist() == list(GONE)
    assert trajectory[FRAMES - 1] == pytest.approx(0.59)


def test_percentiles_of_bins() -> None:
    t_s = np.array([0.1, 0.2, 0.3, 1.5, 3.2])
    found = binned_percentiles(t_s, np.array([1.0, 2.0, 3.0, 5.0, np.nan]), np.arange(5.0), (50, 100))
    np.testing.assert_array_equal(found, [[2, 5, np.nan, np.nan], [3, 5, np.nan, np.nan]])


def test_runs_of_equal_values() -> None:
    assert spans(np.array(["cold", "cold", "solved"])) == [(0, 2, "cold"), (2, 3, "solved")]
    assert spans(np.array([], str)) == []


def test_invalid_reports_are_refused(session: Path, tmp_path: Path) -> None:
    data = data_of(session)
    with pytest.raises(UsageError, match=r"A report is \.html or \.png; got r\.pdf\. Try --out r\.html\."):
        write_report(data, Path("r.pdf"))
    with pytest.raises(UsageError, match=r"Unknown joint 'tail'\. The joints are pelvis, r_hip, "):
        write_report(data, tmp_path / "r.png", ["tail"])
    write_report(data, tmp_path / "r.png", ["LWrist", "right_wrist"])
    little = data_of(write_session(tmp_path / "little.mcap", imported()))
    with pytest.raises(PoseRigError, match=r"Cannot write .*: No such file or directory\."):
        write_report(little, tmp_path / "no" / "r.html")


def test_the_command(tmp_path: Path) -> None:
    session = write_session(tmp_path / "S.mcap", imported())
    app = Typer()
    app.command()(as_command(plot))
    out = tmp_path / "r.html"
    result = CliRunner().invoke(app, [str(session), "--out", str(out), "--joints", "head, l_wrist"])
    assert result.exit_code == 0
    assert result.output == f"Written: {out}.\n"
    assert out.exists()
    missing = CliRunner().invoke(app, ["no.mcap"])
    assert missing.exit_code == 2
    assert "There is no file no.mcap." in missing.output
    assert CliRunner().invoke(app, [str(session), "--out", "r.pdf"]).exit_code == 2


def test_agreement_is_weighted_by_time_and_not_by_states() -> None:
    dense_s = np.concatenate([np.zeros(90), np.linspace(0.01, 1.0, 10)])
    agreement = np.concatenate([np.zeros(90), np.full(10, 0.8)])
    track = CameraTrack("a", np.linspace(0.0, 1.0, 31), (), dense_s, agreement)
    assert camera_statistics(track) == ("a", "31", "30.0", "0", "0.80")
