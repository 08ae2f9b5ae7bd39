"""Finds writers by words of id and name: in any order, whatever the case, accents or none."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, case, func, literal, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

# Letters of the scripts that have accents: Latin, Greek, Cyrillic, and the further Latin and Greek
# of Vietnamese and of polytonic texts.
_ACCENTED = (*range(0xC0, 0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000))
# Letters that are no letter with a mark to Unicode, but are to whoever has not got them to type.
_LOOK_ALIKES = {
    "ø": "o",
    "đ": "d",
    "ł": "l",
    "ħ": "h",
    "ŧ": "t",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
}
_MARKS = "".join(map(chr, range(0x300, 0x370)))


def search_text(writer_id: str, name: str) -> str:
    """Return what is stored of a writer to be searched."""
    # No word can cross the line break: names have none.
    return f"{_fold(writer_id)}\n{_fold(name)}"


def matches(stored: InstrumentedAttribute[str], search: str) -> ColumnElement[bool]:
    """Return the condition that a stored text has every word of a search, as a part of any word."""
    words = re.split(r"[\s,]+", _fold(search).translate(_TABLE))
    translated = func.translate(stored, literal(_FROM), literal(_TO), type_=Text())
    # Translating is the slow part, and most texts are ASCII: one byte a letter.
    plain = case((_octet_length(stored) > func.length(stored), translated), else_=stored)
    return and_(true(), *(plain.contains(word, autoescape=True) for word in words if word))


def translate(text: str, wanted: str, given: str) -> str:
    """Do what PostgreSQL's function of this name does, for databases that have none.

    Letters in `wanted` become those at the same place in `given`; where it has none, they go.
    """
    return text if text.isascii() else text.translate(_table(wanted, given))


class _octet_length(GenericFunction[int]):  # noqa: N801 -- Named as in SQL.
    """Bytes of a text in UTF-8."""

    name = "octet_length"
    type = Integer()
    inherit_cache = True


@compiles(_octet_length, "sqlite")
def _octets_on_sqlite(element: _octet_length, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite has the function from version 3.43 on only.
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


@lru_cache(maxsize=4)
def _table(wanted: str, given: str) -> dict[int, int | None]:
    return str.maketrans(wanted[: len(given)], given, wanted[len(given) :])


def _fold(text: str) -> str:
    # LIKE of SQLite knows upper and lower case of ASCII only.
    return unicodedata.normalize("NFKC", text).casefold()


def _bases() -> dict[str, str]:
    """Return small letter with marks -> the letter alone."""
    bases = dict(_LOOK_ALIKES)
    for letter in map(chr, _ACCENTED):
        base, *marks = list(unicodedata.normalize("NFD", letter))
        if marks and letter == _fold(letter) and all(map(unicodedata.combining, marks)):
            bases[letter] = base
    return bases


_BASES = _bases()
_FROM, _TO = "".join(_BASES) + _MARKS, "".join(_BASES.values())
_TABLE = _table(_FROM, _TO)
