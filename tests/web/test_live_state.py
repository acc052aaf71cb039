from pose_rig.config import CameraConfig, Config
from pose_rig.web.live_state import SOLVED_TEXT, STEP_BACK_TEXT, LiveState
from pose_rig.wire.messages import NO_PERSON, STEP_BACK, CameraState, Mode, RigState

CUT = f"shows no feet: {STEP_BACK}"


def sentence(mode: Mode, *notes: str, note: str = "") -> str:
    cameras = tuple(
        CameraState(name=f"cam{i}", focal_px=1000.0, size_px=(1280, 720), note=text) for i, text in enumerate(notes)
    )
    state = LiveState(Config(camera=tuple(CameraConfig(source="0", name=camera.name) for camera in cameras)))
    state.add(RigState(t_ns=1, mode=mode, cameras=cameras, note=note))
    return state.sentence()


def test_where_half_of_the_cameras_that_show_a_person_cut_the_body_the_sentence_is_to_step_back() -> None:
    assert sentence("cold", CUT, "") == STEP_BACK_TEXT
    assert sentence("cold", CUT, "", NO_PERSON, note="It is tried again.") == STEP_BACK_TEXT
    assert sentence("cold", CUT, "", "", note="Walk about.") == "Walk about."


def test_a_solved_rig_asks_for_nothing() -> None:
    assert sentence("solved", CUT, CUT) == SOLVED_TEXT
