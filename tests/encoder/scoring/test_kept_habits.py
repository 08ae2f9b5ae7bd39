"""What is kept of references goes by their contents, and gives what computing would."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from encoder.scoring.kept_habits import KeptHabits
from encoder.scoring.templates import Signatures

rng = np.random.default_rng(5)


def signatures(count: int) -> Signatures:
    pieces = tuple(rng.integers(-9, 9, (6, 26)).astype(np.int8) for _ in range(count))
    return Signatures(rng.normal(size=(count, 8)).astype(np.float32), pieces)


def test_computes_once_for_the_same_contents():
    kept, references = KeptHabits(), signatures(3)
    first = kept.of(references, lambda: np.array([1.0, 2.0]))
    again = Signatures(references.vectors.copy(), tuple(p.copy() for p in references.pieces))
    assert kept.of(again, lambda: np.array([9.0])) is first


def test_another_vector_piece_order_or_split_is_computed_anew():
    kept, references = KeptHabits(), signatures(3)
    kept.of(references, lambda: np.zeros(1))
    moved = references.vectors.copy()
    moved[2, 7] = np.nextafter(moved[2, 7], np.float32(9))
    one, two, three = references.pieces
    other = one.copy()
    other[5, 25] ^= 1
    changed = [
        references.with_vectors(moved),
        references[[0, 2, 1]],
        references[[0, 1]],
        Signatures(references.vectors, (other, two, three)),
        Signatures(references.vectors, (np.vstack([one, two[:1]]), two[1:], three)),
        Signatures(references.vectors),
    ]
    for number, each in enumerate(changed, 1):
        assert kept.of(each, lambda n=number: np.array([float(n)]))[0] == number


def test_forgets_whoever_was_asked_for_longest_ago():
    kept = KeptHabits(most=2)
    one, two, three = (signatures(1) for _ in range(3))
    for number, each in enumerate((one, two, one, three)):
        kept.of(each, lambda n=number: np.array([float(n)]))
    assert kept.of(one, lambda: np.array([7.0]))[0] == 0
    assert kept.of(two, lambda: np.array([7.0]))[0] == 7


def test_threads_get_the_same():
    kept, many = KeptHabits(most=5), [signatures(2) for _ in range(10)]
    expected = [float(each.vectors.sum()) for each in many]

    def ask(number):
        each = many[number % 10]
        return kept.of(each, lambda: np.array([float(each.vectors.sum())]))[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(400))) == expected * 40
