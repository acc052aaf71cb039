"""Removes user names and passwords of camera URLs from text that is displayed, sent or stored."""

import re

HIDDEN = "***"
_URL = r"[a-zA-Z][a-zA-Z0-9+.-]*:/+"
# Everything up to the last @: passwords may contain / and @ although URLs forbid it. The only colon of a host without
# user is that of its port; an @ in the path of a URL with a port is rare, and is treated as part of a password.
_USER = re.compile(rf"({_URL})(?:[^\s/?#'\"]*:[^\s'\"]*|[^\s/?#'\"]*)@")
_USER_ALONE = re.compile(r"(?<![^\s'\"(=])[^\s/\\'\"@:]+:[^\s/\\'\"@]+@(?=[\w.-])")  # without a scheme
# In queries, and in paths of some cameras: /user=admin_password=secret_channel=1.
_VALUE = re.compile(
    r"(?i)([?&;/_#][\w.-]*?(?:pas\w*|psw\w*|pwd|pw|token|secret|(?:api|access)?[_.-]?key|auth\w*|sig|signature|cred\w*)=)"
    r"(?:(?!_[a-z]+=)[^&;#\s'\"])*"
)


def redacted(text: str) -> str:
    """Returns a text without user names and passwords in URLs and without values of password parameters."""
    if "@" in text:
        text = _USER_ALONE.sub("", _USER.sub(r"\1", text))
    return _VALUE.sub(rf"\g<1>{HIDDEN}", text) if "=" in text else text
