import re

from pose_rig.wire.tokens import Tokens


def test_each_token_gives_its_own_access_and_anything_else_none() -> None:
    tokens = Tokens.random()
    assert [tokens.access(text) for text in (tokens.watch, tokens.camera, tokens.control)] == [
        "watch", "camera", "control",
    ]  # fmt: skip
    for text in ("", tokens.watch[:-1], tokens.watch + "x", "\udc80", "ä" * 22):
        assert tokens.access(text) is None
    assert len({tokens.watch, tokens.camera, tokens.control}) == 3
    assert all(re.fullmatch(r"[\w-]{22}", text) for text in (tokens.watch, tokens.camera, tokens.control))


def test_tokens_are_not_printed_with_their_job() -> None:
    tokens = Tokens.random()
    assert tokens.watch not in repr(tokens)
