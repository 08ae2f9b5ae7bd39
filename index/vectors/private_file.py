"""Files for their owner alone: what is derived from signatures is personal data too."""

import os
from pathlib import Path

PRIVATE = 0o600


def private_opener(path: str, flags: int) -> int:
    """Open a file as `open` asks for, which passes this its arguments; a new one is private."""
    return os.open(path, flags, PRIVATE)


def make_private(path: Path) -> None:
    """Make an empty private file, for a library that will open it by its name.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE))


def tighten(path: Path) -> bool:
    """Take a file or folder from everyone but its owner; return whether others had it until now.

    Raises:
        OSError: it is another's.
    """
    mode = path.stat().st_mode & 0o777
    if not mode & 0o077:
        return False
    path.chmod(mode & 0o700)
    return True
