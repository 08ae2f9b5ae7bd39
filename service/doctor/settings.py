"""Checks of the settings: which there are, and where each has its value from."""

import re
from collections.abc import Iterator

from service.doctor.finding import Finding, Installation, ok
from service.settings import PREFIX

HIDDEN = "***"
_SECRET_NAME = re.compile(r"secret|password|token")
_USER_INFO = re.compile(r"(?<=//)[^/?#]*(?=@)")
_SECRET_OPTION = re.compile(r"(?<=[?&])([^=&]*(?:password|token|secret)[^=&]*)=[^&#]*", re.I)


def settings(installation: Installation) -> Iterator[Finding]:
    """Give each setting with its origin; secrets are hidden."""
    for name, origin in installation.origins.items():
        value = getattr(installation.settings, name)
        yield ok(PREFIX + name.upper(), f"{shown(name, value)} ({origin})")


def shown(name: str, value: object) -> str:
    """Return a setting's value as it may be told to anybody."""
    if value is None:
        return "unset"
    if _SECRET_NAME.search(name):
        return HIDDEN
    return _SECRET_OPTION.sub(rf"\1={HIDDEN}", _USER_INFO.sub(_without_password, str(value)))


def _without_password(user_info: re.Match[str]) -> str:
    # A token may stand there alone, without a name before it.
    user, colon, _ = user_info[0].partition(":")
    return f"{user}:{HIDDEN}" if colon else HIDDEN
