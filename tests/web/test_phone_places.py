from pathlib import Path

from pose_rig.web.phone_places import FILE, PhonePlaces


def test_a_phone_is_the_same_camera_in_the_next_run(tmp_path: Path) -> None:
    places = PhonePlaces(["phone1", "phone2"], tmp_path)
    assert places.camera_of("a", []) == "phone1"
    assert places.camera_of("b", ["phone1"]) == "phone2"
    again = PhonePlaces(["phone1", "phone2"], tmp_path)
    assert again.camera_of("b", []) == "phone2"
    assert again.camera_of("a", ["phone2"]) == "phone1"


def test_a_new_phone_takes_a_place_that_no_phone_had_then_one_that_was_left(tmp_path: Path) -> None:
    places = PhonePlaces(["phone1", "phone2"], tmp_path)
    places.camera_of("a", [])
    assert places.camera_of("b", []) == "phone2"  # the place of a, which has left, is kept while another is free
    assert places.camera_of("c", ["phone2"]) == "phone1"
    assert places.camera_of("a", ["phone1", "phone2"]) is None
    assert places.camera_of("a", ["phone1"]) == "phone2"


def test_a_damaged_file_and_a_folder_that_is_not_writable_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"[1]")
    (tmp_path / FILE).chmod(0o600)
    assert PhonePlaces(["phone1"], tmp_path).camera_of("a", []) == "phone1"
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    places = PhonePlaces(["phone1", "phone2"], not_a_folder / "below")
    assert places.camera_of("a", []) == "phone1"
    assert places.camera_of("a", []) == "phone1"
