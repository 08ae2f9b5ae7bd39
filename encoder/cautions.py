"""What makes an answer less sure: a stable code for programs, and a sentence for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Caution:
    """One warning; `message` says what was found and what to do, with the numbers that decided."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The same, ready for JSON."""
        return asdict(self)


def as_stored(warning: str | Mapping[str, str]) -> dict[str, str]:
    """A warning that was stored as JSON; earlier versions stored the sentence alone."""
    return {"code": "other", "message": warning} if isinstance(warning, str) else dict(warning)
