import re
from pathlib import Path

import pytest

from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.errors import SourceError
from pose_rig.redaction import redacted
from pose_rig.session.mcap.info import new_info
from pose_rig.tools.arguments.camera_list import config_of, derived_name, without_passwords
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.meter import Meter

SECRET = re.compile("hunter2|s3cret|joe")
ADDRESSES = [
    "rtsp://joe:hunter2@cam.lan:554/live",
    "rtsp://joe:hunter2@s3cret@cam.lan/live",
    "rtsp://joe:hun/ter2/s3cret@cam.lan/live",
    "rtsp://joe:hunter2#s3cret@cam.lan/live",
    "rtsp://joe@cam.lan/live",
    "http://cam.lan/video.cgi?user=x&password=hunter2&size=2",
    "http://cam.lan/v?PWD=hunter2;token=s3cret",
    "http://cam.lan/v?access_key=hunter2&X-Amz-Signature=s3cret",
    "rtsp://cam.lan:554/user=admin_password=hunter2_channel=1_stream=0.sdp?real_stream",
    "rtsp://cam.lan/user=admin&password=hunter2&channel=1",
    "srt://cam.lan:9000?passphrase=hunter2",
    "http://cam.lan/videostream.cgi?loginuse=admin&loginpas=hunter2",
    "http://cam.lan/snap.cgi?usr=admin&psw=hunter2",
    "https://cam.lan/live#access_token=hunter2&x=1",
    "rtsp:/joe:hunter2@cam.lan/live",
    "joe:hunter2@cam.lan/live",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_is_left(address: str) -> None:
    assert not SECRET.search(redacted(address))
    assert "cam.lan" in redacted(address)
    assert not SECRET.search(redacted(f"OpenCV said '{address}': no route (tried {address} twice)"))
    assert redacted(redacted(address)) == redacted(address)


@pytest.mark.parametrize(
    "text",
    [
        "folder/a@b.mp4", "C:\\clips\\a@b.mp4", "rtsp://cam.lan:554/live?channel=1&subtype=0", "http://[::1]:80/x",
        "http://cam.lan/a@2x.m3u8", "0", "/dev/video0", "Choose another port with --port, 0 for any free one.",
        "Rate: 30 Hz @ 12:30", "keyframe=1",
    ],
)  # fmt: skip
def test_text_without_passwords_is_unchanged(text: str) -> None:
    assert redacted(text) == text


def test_the_address_of_a_camera_is_kept() -> None:
    assert redacted("rtsp://me:secret@cam:554/1") == "rtsp://cam:554/1"
    assert redacted("http://cam/v?size=2&password=x&fps=5") == "http://cam/v?size=2&password=***&fps=5"


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_output_is_redacted(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = SourceError(f"{address} cannot be read.", f"Look whether {address} plays.")
    meter = Meter("cam", 0)
    meter.detail = f"stream {address}"
    health = meter.health("failed", f"cam failed: {address}")
    config = without_passwords(Config(camera=(CameraConfig(source=address, name="cam"),)))
    info = new_info(config, "live", 0, 0)
    shown = [str(error), error.cause, error.remedy, health.error, health.detail, derived_name(address)]
    shown += [repr(config), *info.to_metadata().values()]
    assert not [text for text in shown if SECRET.search(text)]


def test_no_session_has_the_token_of_websocket_clients() -> None:
    assert without_passwords(Config(stream=StreamConfig(token="a-token-of-mine-0123"))).stream.token == ""  # noqa: S106


def test_the_recorder_receives_no_password(tmp_path: Path) -> None:
    camera = CameraConfig(source=ADDRESSES[0], name="cam")
    ready = plan(Config(camera=(camera,), port=0, record=str(tmp_path / "s.mcap")), "model.task")
    recorder = next(worker for worker in ready.workers if worker.name == "recorder")
    assert not SECRET.search(repr(recorder.job))


def test_a_camera_is_named_after_its_host_alone() -> None:
    for address in ADDRESSES[:5]:
        assert config_of(address).camera[0].name == "cam.lan"
    assert derived_name("rtsp://[broken") == "stream"
