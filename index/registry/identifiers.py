"""What a writer may be called: the form of ids and names, for whoever takes them in.

It loads nothing, so that a command line or a form can check before any work.
"""

import re
import unicodedata

WRITER_ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"
WRITER_ID_EXPECTED = (
    "expected 1 to 64 of the characters A-Z a-z 0-9 . _ : @ - with a letter or digit first"
)
MAX_NAME_LENGTH = 200

# `$` also matches before a line break at the end, so the whole text is matched instead.
_WRITER_ID = re.compile(WRITER_ID_PATTERN.strip("^$"))


def is_writer_id(text: str) -> bool:
    """Whether `text` has the form of a writer's id."""
    return _WRITER_ID.fullmatch(text) is not None


def is_clean_text(text: str) -> bool:
    """Whether `text` is free of control characters (Cc) and halves of characters (Cs).

    A terminal or a log would obey the former, and databases cannot all keep the latter. Joiners
    and other invisible characters are fine: names in some scripts need them.
    """
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
