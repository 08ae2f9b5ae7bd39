"""Erasures as a list in a file, by which a restore repeats them: nobody is brought back.

The list holds no name and no id of anybody, and nothing that these could be guessed from.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from index.errors import TombstonesUnusable
from index.registry import references, writers
from index.registry.disk import subjects
from index.registry.disk.erasures import Tombstone, keep_tombstones

FORMAT = 1
SUBJECT_LENGTH = 64


@dataclass(frozen=True)
class ErasureList:
    """The erasures of one registry up to a moment."""

    registry_id: str
    listed_at: datetime
    tombstones: tuple[Tombstone, ...]

    def as_json(self) -> str:
        """Return the text of a file; what is cut short or changed is seen when it is read."""
        content = {
            "format": FORMAT,
            "registry_id": self.registry_id,
            "listed_at": self.listed_at.astimezone(UTC).isoformat(),
            "erasures": [
                {
                    "subject": one.subject,
                    "erased_at": one.erased_at.astimezone(UTC).isoformat(),
                    "reference_count": one.reference_count,
                }
                for one in self.tombstones
            ],
        }
        return json.dumps({**content, "sha256": _sha256(content)}, indent=2) + "\n"


@dataclass(frozen=True)
class Repeated:
    """How much of a backup was erased again."""

    writers: int
    references: int


def read_erasure_list(text: bytes) -> ErasureList:
    """Read what `ErasureList.as_json` wrote.

    Raises:
        TombstonesUnusable: it was not, or has changed since.
    """
    try:
        content = json.loads(text)
        told = content.pop("sha256")
        if content["format"] != FORMAT:
            raise TombstonesUnusable(
                f"its format is {content['format']!r}, expected {FORMAT}: a newer version wrote it"
            )
        listed = ErasureList(
            registry_id=str(content["registry_id"]),
            listed_at=datetime.fromisoformat(content["listed_at"]),
            tombstones=tuple(_tombstone(one) for one in content["erasures"]),
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise TombstonesUnusable(
            "it is not as `countersign erasures export` wrote it; was it cut short?"
        ) from error
    if told != _sha256(content):
        raise TombstonesUnusable("it is damaged: its sha256 has changed")
    return listed


def repeat_erasures(connection: Connection, given: Sequence[Tombstone]) -> Repeated:
    """Erase again what these erasures erased, as far as it is here; keep the rest for later.

    Whoever was erased is found by the token of that enrollment: somebody who was enrolled anew
    under the same id stays.
    """
    wanted = {one.subject for one in given}
    erased = count = 0
    for subject, writer_id in subjects.all_writers(connection).items():
        if subject in wanted:
            count += writers.erase(connection, writer_id).reference_count
            erased += 1
    for subject, (writer_id, reference_id) in subjects.all_references(connection).items():
        if subject in wanted:
            references.erase(connection, writer_id, reference_id)
            count += 1
    keep_tombstones(connection, given)
    return Repeated(erased, count)


def _tombstone(row: dict[str, Any]) -> Tombstone:
    subject = row["subject"]
    if len(subject) != SUBJECT_LENGTH or not set(subject) <= set("0123456789abcdef"):
        raise ValueError(subject)
    erased_at = datetime.fromisoformat(row["erased_at"])
    if erased_at.tzinfo is None:
        raise ValueError(row["erased_at"])
    return Tombstone(subject, erased_at, int(row["reference_count"]))


def _sha256(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
