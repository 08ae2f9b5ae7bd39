"""Tells settings without the secrets that some hold."""

import re

HIDDEN = "***"
# Settings that are nothing but a secret.
WHOLLY_SECRET = frozenset({"key", "oidc_client_secret"})
_USER_INFO = re.compile(r"(?<=//)[^/?#]*(?=@)")
_SECRET_OPTION = re.compile(r"(?<=[?&])([^=&]*(?:password|token|secret)[^=&]*)=[^&#]*", re.I)


def shown(name: str, value: object) -> str:
    """Return a setting's value as it may be told to anybody: without passwords and secrets."""
    if value is None:
        return "unset"
    if name in WHOLLY_SECRET:
        return HIDDEN
    return _SECRET_OPTION.sub(rf"\1={HIDDEN}", _USER_INFO.sub(_without_password, str(value)))


def _without_password(user_info: re.Match[str]) -> str:
    # A token may stand there alone, without a name before it.
    user, colon, _ = user_info[0].partition(":")
    return f"{user}:{HIDDEN}" if colon else HIDDEN
