"""Where an index of lists keeps its references, against a dict, through any history."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index.ivf import id_map
from index.ivf.id_map import IdMap, with_room

WIDTH = 3
WHAT = st.sampled_from(["put", "put", "drop", "drop", "list", "detach"])
CHANGES = st.lists(st.tuples(WHAT, st.integers(1, 9)), max_size=40)


def code(reference_ids):
    """A fine code for each reference (n, 3)."""
    return np.stack([reference_ids % 251, reference_ids // 251, 0 * reference_ids], axis=1).astype(
        np.uint8
    )


def started(first, folder):
    """IdMap for references numbered from 0 on, whose codes lie in a file with room for more."""
    ids = np.arange(first)
    rows = np.zeros((with_room(first), WIDTH), np.uint8)
    rows[:first] = code(ids)
    (folder / "codes").unlink(missing_ok=True)  # Not written over what is mapped.
    rows.tofile(folder / "codes")
    mapped = np.memmap(folder / "codes", np.uint8, "c", shape=rows.shape)
    return IdMap(ids, (ids % 7).astype(np.int16), mapped)


@given(first=st.integers(0, 40), sort_from=st.sampled_from([0, 4, 4096]), changes=CHANGES)
@settings(max_examples=200, deadline=None)
def test_they_hold_what_was_put_and_not_dropped(tmp_path_factory, first, sort_from, changes):
    id_map._SORT_FROM, before = sort_from, id_map._SORT_FROM
    try:
        held = started(first, tmp_path_factory.getbasetemp())
        there = {one: one % 7 for one in range(first)}
        random = np.random.default_rng(len(changes))
        for what, count in changes:
            if what == "put":
                absent = np.setdiff1d(np.arange(120), list(there))
                new = random.choice(absent, min(count, len(absent)), replace=False)
                lists = random.integers(0, 7, len(new)).astype(np.int16)
                held.put(new, lists, code(new))
                there |= zip(new.tolist(), lists.tolist(), strict=True)
            elif what == "drop" and there:
                gone = random.choice(list(there), min(count, len(there)), replace=False)
                held.drop(held.slots_of(gone))
                for one in gone.tolist():
                    del there[one]
            elif what == "detach":
                held.detach()
            expected = np.array(sorted(there), np.int64)
            found = held.slots_of(expected)
            assert len(np.unique(found)) == len(expected)
            assert held.lists[found].tolist() == [there[one] for one in expected.tolist()]
            assert held.ids[found].tolist() == expected.tolist()
            assert np.array_equal(held.codes[found], code(expected))
            if what == "list":  # Which puts what is new in order.
                assert held.reference_ids().tolist() == expected.tolist()
            assert (held.slots_of(np.setdiff1d(np.arange(120), expected)) == -1).all()
            assert len(held.ids) == len(held.lists) == len(held.codes)
        assert held.reference_ids().tolist() == sorted(there)
    finally:
        id_map._SORT_FROM = before
