"""Text as it may be shown, sent and kept: without the passwords that addresses of cameras carry."""

import re

HIDDEN = "***"
_URL = r"[a-zA-Z][a-zA-Z0-9+.-]*:/+"
# Everything up to the last @: passwords contain what they may not, / and @ too. A host without user has no colon but
# that of its port, and an @ in the path of a URL with a port is so rare that it may be taken for a password.
_USER = re.compile(rf"({_URL})(?:[^\s/?#'\"]*:[^\s'\"]*|[^\s/?#'\"]*)@")
_USER_ALONE = re.compile(r"(?<![^\s'\"(=])[^\s/\\'\"@:]+:[^\s/\\'\"@]+@(?=[\w.-])")  # where the scheme was forgotten
# In queries, and in paths as some cameras have them: /user=admin_password=secret_channel=1.
_VALUE = re.compile(
    r"(?i)([?&;/_#][\w.-]*?(?:pas\w*|psw\w*|pwd|pw|token|secret|(?:api|access)?[_.-]?key|auth\w*|sig|signature|cred\w*)=)"
    r"(?:(?!_[a-z]+=)[^&;#\s'\"])*"
)


def redacted(text: str) -> str:
    """Returns a text in which no address names a user or a password, nor a value that looks like one."""
    if "@" in text:
        text = _USER_ALONE.sub("", _USER.sub(r"\1", text))
    return _VALUE.sub(rf"\g<1>{HIDDEN}", text) if "=" in text else text
