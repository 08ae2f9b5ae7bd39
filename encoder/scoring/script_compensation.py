"""Evens out scripts that are forged less well than others, so that one threshold serves all.

How near a forger comes depends on the script: the best twentieth of the forgeries of Bengali names
scores far below that of Latin ones. Held against the threshold of the latter, genuine Bengali
signatures would be refused. So the scores of claims in such a script are raised. What script a
claim is in is told from the claimed writer's references alone, which no forger has a hand in. What
resembles no script that was learned is judged as the one forged best; how signatures of scripts
that were never seen are told is not known.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from encoder.scoring.templates import Vectors

NOT_OF_IT = 0.35  # Up to here a claim is not in the script at all,
OF_IT = 0.65  # from here on wholly, and in between in part.

Amounts = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class ScriptCompensation:
    """What is added to the scores of claims in one script, and how to tell that script.

    Attributes:
        name: the data set that it was learned from.
        axis: `(d,)`, on which mean vectors of references are seen; `offset` is added.
        amounts: by number of references, ascending, what is added to the scores of claims that are
            wholly in this script.
    """

    name: str
    axis: tuple[float, ...]
    offset: float
    amounts: Amounts

    @cached_property
    def _axis(self) -> Vectors:
        return np.asarray(self.axis, np.float32)

    def allowance(self, references: Vectors) -> float:
        """What is added to the score of a claim with references `(r, d)`."""
        fitting = [amount for count, amount in self.amounts if count <= len(references)]
        share = (self.seen(references) - NOT_OF_IT) / (OF_IT - NOT_OF_IT)
        return (fitting or [self.amounts[0][1]])[-1] * min(max(share, 0.0), 1.0)

    def seen(self, references: Vectors) -> float:
        """Where references `(r, d)` lie: about 1 those in this script, about 0 all others."""
        return float(references.mean(axis=0) @ self._axis) + self.offset

    def told(self, references: Vectors) -> "ScriptCompensation":
        """The same for claims that all are in the script of these references `(r, d)`."""
        return replace(self, axis=(0.0,) * len(self.axis), offset=round(self.seen(references), 5))
