"""How each of a writer's references stands among the others: a copy, unlike them, or typical."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from encoder.scoring.copies import distinct
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import claim_features, habits_of
from encoder.scoring.templates import Signatures

LEAST_TOLD = 3  # Of two that differ, nobody can say which is the stranger.
# The newest so many are what each is held against: the time that takes grows with their square.
HELD_AGAINST = 30
# log10 likelihood ratio of the writer against another, by the others, below which a reference is
# unlike them: it is three times likelier of somebody else. Of genuine ones in five data sets about
# 1 in 100 is so, of strangers among four references more than 95 in 100.
UNLIKE = -0.5

Place = Literal["typical", "unlike-others", "copy"]


@dataclass(frozen=True)
class Standing:
    """Where one reference stands; `copy_of` is the number of the one that it copies, if any."""

    place: Place
    copy_of: int | None = None


def standings(references: Signatures, rule: DecisionRule) -> list[Standing]:
    """How each of a writer's references, as they are stored, stands among the others.

    Copies of one image count once; what is left is judged from three on, each by the others.
    """
    which = distinct(references)
    unlike = {which.kept[one] for one in _unlike(references[list(which.kept)], rule)}
    return [
        Standing("copy", copied)
        if copied is not None
        else Standing("unlike-others" if number in unlike else "typical")
        for number, copied in enumerate(which.copy_of)
    ]


def _unlike(references: Signatures, rule: DecisionRule) -> list[int]:
    """Numbers of the references, none a copy of another, that the others speak against."""
    count = len(references)
    if count < LEAST_TOLD:
        return []
    newest = np.arange(max(0, count - HELD_AGAINST), count)
    among = rule.scoring.similarities(references, references[newest])
    counts = None if references.pieces is None else [len(one) for one in references.pieces]
    found = []
    for number in range(count):
        places = np.flatnonzero(newest != number)
        others = newest[places]
        own = among.of(others, places)
        pieces = None if own.local is None or counts is None else [counts[one] for one in others]
        features = claim_features(
            among.of([number], places), habits_of(own.blocks, own.local, pieces)
        )
        score = rule.scoring.weights_for(len(others)).scores(features)
        if rule.calibration_for(len(others)).random.of(float(score[0])) < UNLIKE:
            found.append(number)
    return found
