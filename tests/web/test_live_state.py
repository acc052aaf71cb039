from pose_rig.config import CameraConfig, Config
from pose_rig.web.live_state import NO_PERSON_TEXT, RECORDED_TEXTS, SOLVED_TEXT, SOLVING_TEXT, STEP_BACK_TEXT, LiveState
from pose_rig.wire.messages import NO_PERSON, STEP_BACK, CameraState, Mode, RigState

CUT = f"shows no feet: {STEP_BACK}"


def sentence(mode: Mode, *notes: str, note: str = "", recorded: bool = False) -> str:
    cameras = tuple(
        CameraState(name=f"cam{i}", focal_px=1000.0, size_px=(1280, 720), note=text) for i, text in enumerate(notes)
    )
    state = LiveState(
        Config(camera=tuple(CameraConfig(source="0", name=camera.name) for camera in cameras)), recorded=recorded
    )
    state.add(RigState(t_ns=1, mode=mode, cameras=cameras, note=note))
    return state.sentence()


def test_where_half_of_the_cameras_that_show_a_person_cut_the_body_the_sentence_is_to_step_back() -> None:
    assert sentence("cold", CUT, "") == STEP_BACK_TEXT
    assert sentence("cold", CUT, "", NO_PERSON, note="It is tried again.") == STEP_BACK_TEXT
    assert sentence("cold", CUT, "", "", note="Walk about.") == "Walk about."


def test_a_solved_rig_asks_for_nothing() -> None:
    assert sentence("solved", CUT, CUT) == SOLVED_TEXT


def test_of_what_has_happened_there_is_no_advice() -> None:
    assert sentence("cold", CUT, "", recorded=True) == RECORDED_TEXTS[SOLVING_TEXT]
    assert sentence("cold", NO_PERSON, recorded=True) == RECORDED_TEXTS[NO_PERSON_TEXT]
    assert sentence("solved", "", recorded=True) == RECORDED_TEXTS[SOLVED_TEXT]
    assert sentence("solved", "", note="cam0 was moved.", recorded=True) == "cam0 was moved."
