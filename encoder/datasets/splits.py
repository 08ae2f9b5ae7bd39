"""Splits writers for good into training, development and test, groups kept together."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

SPLITS = ("train", "development", "test")


@dataclass(frozen=True)
class Holdout:
    """Part `number` (from 1 on) of `count` (2 or more) parts of all writers."""

    number: int = 1
    count: int = 5


def group_of(writer_id: str) -> tuple[str, str]:
    """The group and the text that a folder's name tells: `w012_n03` is writer w012, text n03."""
    match = re.fullmatch(r"(w\d+)_(n\d+)", writer_id)
    return (match[1], match[2]) if match else (writer_id, "")


def split_writers(
    writer_ids: Sequence[str], development_share: float, holdout: Holdout, seed: int
) -> dict[str, list[str]]:
    """Put every writer in `train`, `development` or `test`, groups kept together.

    Args:
        writer_ids: names of writers' folders.
        development_share: share of the groups not held out that goes to development, 0 to 1.
        holdout: which part of all groups to hold out for test; the parts of one seed are disjoint.
        seed: another seed is another split; order of `writer_ids` does not matter.
    """
    groups = sorted({group_of(w)[0] for w in writer_ids}, key=lambda g: _rank(g, seed))
    test = groups[holdout.number - 1 :: holdout.count]
    rest = [group for group in groups if group not in set(test)]
    development = round(development_share * len(rest))
    of_group = dict.fromkeys(rest, "train")
    of_group.update(dict.fromkeys(test, "test"))
    of_group.update(dict.fromkeys(rest[:development], "development"))
    split: dict[str, list[str]] = {name: [] for name in SPLITS}
    for writer_id in sorted(writer_ids):
        split[of_group[group_of(writer_id)[0]]].append(writer_id)
    return split


def _rank(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{group}".encode()).hexdigest()
