"""Ranks candidates who have one and the same reference: what both have tells them apart by nothing.

A reference may have come under two writers by mistake, or by intent: a fraudster who enrolls one
reference of a victim would else be named for the victim's signatures. The references that only one
of the two has decide. Where they speak for their writer, whoever has nothing else stands behind.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from encoder.cautions import Caution
from encoder.scoring.copies import held_by_both
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.templates import Signatures

AHEAD, BEHIND = 0, 1  # Of those with the same rank.


@dataclass(frozen=True, eq=False)
class Rival:
    """A writer whom a query signature may resemble, with references (r >= 1) and its likeness."""

    writer_id: str
    references: Signatures
    likeness: float


@dataclass(frozen=True)
class Place:
    """Where a rival stands: rivals are sorted by `key`; `shares_with` names who has the same."""

    key: tuple[float, int, str]
    shares_with: tuple[str, ...]


def places(probe: Signatures, rivals: Sequence[Rival], rule: DecisionRule) -> list[Place]:
    """Where each rival stands by a query signature (n = 1), the likeliest with the lowest key."""
    shared = _shared(rivals)
    if not any(shared):
        return [Place((-one.likeness, AHEAD, one.writer_id), ()) for one in rivals]
    alone = [
        _alone(probe, one, numbers, rule)
        for one, numbers in zip(rivals, map(_all, shared), strict=True)
    ]
    found = []
    for number, one in enumerate(rivals):
        others = sorted(shared[number])
        founded = [alone[other][0] for other in others if alone[other][1]]
        likeness, order = alone[number][0], AHEAD
        if founded and not alone[number][1] and others:
            likeness, order = min(one.likeness, *founded), BEHIND
        names = tuple(sorted(rivals[other].writer_id for other in others))
        found.append(Place((-likeness, order, one.writer_id), names))
    return found


def collision(writer_id: str, others: Sequence[str]) -> Caution:
    """Say that an identification's best candidate is not the only one with the reference."""
    return Caution(
        "collision",
        f"{writer_id} has a reference that {' and '.join(others)} "
        f"{'has' if len(others) == 1 else 'have'} as well. One of them is under the wrong name: "
        "find out which before you rely on the answer.",
    )


def not_distinctive(others: int, gallery_size: int, *, or_more: bool) -> Caution:
    """Say that a signature looks like those of so many other writers, of all that are enrolled."""
    more = " or more" if or_more else ""
    writers = "writer" if others == 1 else "writers"
    return Caution(
        "not-distinctive",
        f"The signature looks like those of {others} other enrolled {writers}{more}, of "
        f"{gallery_size}: it would be taken for theirs too. Ask for other proof of whose it is.",
    )


def _shared(rivals: Sequence[Rival]) -> list[dict[int, set[int]]]:
    """For each rival, by the numbers of others, which of the own references these have as well."""
    found: list[dict[int, set[int]]] = [{} for _ in rivals]
    for number, one in enumerate(rivals):
        for later in range(number + 1, len(rivals)):
            own, theirs = held_by_both(one.references.vectors, rivals[later].references.vectors)
            if own:
                found[number][later] = set(own)
                found[later][number] = set(theirs)
    return found


def _all(shared: dict[int, set[int]]) -> set[int]:
    return set().union(*shared.values())


def _alone(
    probe: Signatures, one: Rival, shared: Collection[int], rule: DecisionRule
) -> tuple[float, bool]:
    """How much the probe resembles a rival, and whether references that nobody else has say so."""
    if not shared:
        return one.likeness, True
    rest = np.setdiff1d(np.arange(len(one.references)), list(shared))
    if not rest.size:
        return one.likeness, False
    scored = rule.claim(probe, one.references[rest])
    speaks = rule.calibration_for(len(rest)).random.of(scored.score) > 0
    return (one.likeness, True) if speaks else (scored.likeness, False)
