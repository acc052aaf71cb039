"""Sessions read by other processes into files; the sessions are pretended."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pose_rig.errors import SessionError
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.session_reader import SessionReader
from pose_rig.training.footage.stored import StoredFootage
from tests.training.fakes.sessions import read_session, read_slowly, write_sessions


def assert_same(found: Footage, wanted: Footage) -> None:
    for field in fields(Footage):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        if field.name == "truth":
            one, other = one.joints, other.joints
            assert found.truth is not None
            assert found.truth.xy_px is found.xy_px
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert (type(one), one) == (type(other), other)


def test_stored_footage_is_that_which_was_read(tmp_path: Path) -> None:
    (session,) = write_sessions(tmp_path, 1)
    stored, footage = StoredFootage(tmp_path / "run"), read_session(session)
    assert not stored.has(session)
    stored.store(session, footage)
    assert stored.has(session)
    assert_same(stored.load(session), footage)
    session.write_text("another content")
    assert not stored.has(session), "it has changed"


def test_sessions_are_read_once_and_by_other_processes(tmp_path: Path) -> None:
    sessions = write_sessions(tmp_path, 3, bad=(1,))
    broken = tmp_path / "broken.mcap"
    broken.write_text("broken")
    stored = StoredFootage(tmp_path / "run")
    for _ in range(2):  # the second time from the files
        with SessionReader(stored, 1, read_slowly) as reader:
            for session in (*sessions, broken):
                reader.request(session)
            assert_same(reader.footage(sessions[2]), read_session(sessions[2]))
            assert_same(reader.footage(sessions[0]), read_session(sessions[0]))
            with pytest.raises(SessionError, match=r"take0001\.mcap: take0001\.mcap is damaged\."):
                reader.footage(sessions[1])
            with pytest.raises(SessionError, match=r"broken\.mcap: ZeroDivisionError: no frames\."):
                reader.footage(broken)
            with pytest.raises(SessionError, match=r"gone\.mcap: FileNotFoundError"):
                reader.footage(tmp_path / "gone.mcap")
    assert [path.with_suffix(".read").read_text() for path in (*sessions, broken)] == ["x"] * 4
    assert len(stored.refused()) == 3
