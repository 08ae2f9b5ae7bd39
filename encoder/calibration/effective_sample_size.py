"""How much the signatures of few writers can say: errors come in clusters.

Where one forger of one writer passes, that forger's other forgeries often pass too. Counted one by
one, such signatures would support more than they do.
"""

import numpy as np
from numpy.typing import NDArray

RARE = 0.01  # Of the scores of each data set, those that would be errors.


def effective_sample_size(
    scores: NDArray[np.float64],
    people: NDArray[np.intp],
    sets: NDArray[np.str_],
    signatures: int,
) -> float:
    """To how many independent signatures those behind the scores come down, as to rare errors.

    How much the trials of one person have their errors in common is the intraclass correlation r
    (one-way analysis of variance); of m signatures a person, each counts 1 / (1 + (m - 1) r) (the
    design effect, Kish 1965).

    Args:
        scores: `(k,)` of trials; the highest hundredth of each data set are taken for errors.
        people, sets: `(k,)`, whose claim each trial is, and from which data set.
        signatures: how many there are, of all who take part.
    """
    errors = np.zeros(len(scores))
    for one in np.unique(sets):
        of_set = sets == one
        errors[of_set] = scores[of_set] >= np.quantile(scores[of_set], 1 - RARE)
    each = signatures / len(np.unique(people))
    common = max(intraclass_correlation(errors, people), 0.0)
    return signatures / (1 + max(each - 1, 0.0) * common)


def intraclass_correlation(values: NDArray[np.float64], groups: NDArray[np.intp]) -> float:
    """How much of the variance of values `(k,)` lies between groups `(k,)`: at most 1, about 0 for
    groups by chance; 1 where there are too few to tell."""
    numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    total, several = len(values), len(counts)
    if several <= 1 or total <= several:
        return 1.0
    means = np.bincount(numbers, values) / counts
    between = float(counts @ np.square(means - values.mean())) / (several - 1)
    within = float(np.square(values - means[numbers]).sum()) / (total - several)
    size = (total - float(np.square(counts).sum()) / total) / (several - 1)
    spread = between + (size - 1) * within
    return (between - within) / spread if spread > 0 else 0.0
