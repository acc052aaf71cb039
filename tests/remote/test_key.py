import os
import re
import stat
from pathlib import Path

import pytest
import zmq

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.remote.key import curve_keys, key_path, machine_key, new_key, store_key, stored_key


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def test_a_key_is_easy_to_type_and_new_every_time() -> None:
    first, second = new_key(), new_key()
    assert first != second
    assert re.fullmatch(r"([a-z2-7]{4}-){7}[a-z2-7]{4}", first)


def test_both_ends_derive_the_same_key_pair_however_it_is_typed() -> None:
    key = new_key()
    keys = curve_keys(key)
    assert keys == curve_keys(key.upper().replace("-", " ") + "\n")
    assert keys.public == zmq.curve_public(keys.secret)
    assert keys != curve_keys(new_key())


@pytest.mark.parametrize("wrong", ["", "secret", "x" * 32, "ä", "1111-1111"])
def test_what_is_not_a_key_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(UsageError, match="not a key for remote cameras") as error:
        curve_keys(wrong)
    assert not wrong or wrong not in str(error.value)


def test_every_typing_error_is_found() -> None:
    key = new_key()
    for at, letter in enumerate(key):
        other = "a" if letter != "a" else "b"
        if letter != "-":
            with pytest.raises(UsageError):
                curve_keys(key[:at] + other + key[at + 1 :])


def test_the_key_of_a_machine_is_made_once_and_stored_for_this_user_only() -> None:
    assert stored_key() == ""
    key = machine_key()
    assert machine_key() == stored_key() == key
    if os.name == "posix":
        assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    other = new_key()
    store_key(other)
    assert machine_key() == other
    with pytest.raises(UsageError):
        store_key("no key")
    assert machine_key() == other
    assert [path.name for path in key_path().parent.iterdir()] == [key_path().name]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_key_that_others_may_read_is_refused() -> None:
    machine_key()
    key_path().chmod(0o644)
    with pytest.raises(PoseRigError, match=r"Other users may read .* chmod 600"):
        stored_key()
