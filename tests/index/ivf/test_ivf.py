"""The index of lists: what it is tuned to, where a search ends, how its codes lie in memory."""

from dataclasses import replace

import faiss
import numpy as np
import pytest

from benchmarks.signature_like import gallery
from index.ivf.build import Sample, filled, untuned
from index.ivf.packed_blocks import layout_of, saved_blocks, views
from index.ivf.recall_probes import ExactNeighbours, Trials
from index.ivf.search_params import SearchParams, stands_out
from index.ivf.tune import tune
from index.vectors.vector_index import RecallTarget


@pytest.fixture
def exact(clustered):
    """Every twentieth is a probe, the others are a gallery of which ids say nothing."""
    others = np.arange(4000) % 20 != 0
    exact = ExactNeighbours(clustered[~others])
    for start in range(0, 3800, 700):
        part = slice(start, start + 700)
        exact.see(np.flatnonzero(others)[part] + 10**9, clustered[others][part])
    return exact


@pytest.fixture
def gallery_of(clustered):
    def make(lists):
        others = np.arange(4000) % 20 != 0
        index = untuned(clustered, lists)
        index.add(np.flatnonzero(others) + 10**9, clustered[others])
        return index

    return make


def writers_of(reference_ids):
    """Whose they are, ten each."""
    return {one: f"W-{(one - 10**9) // 10}" for one in reference_ids}


def reached(index, clustered):
    """The share of whose writers some are fetched, of the ten nearest, and of the nearest."""
    probes = clustered[::20]
    similarities = probes @ clustered.T
    similarities[:, ::20] = -np.inf
    truth = np.argsort(-similarities, axis=1)[:, :10] // 10
    fetched = [(own.reference_ids - 10**9) // 10 for own in index.search(probes, 80)]
    found = np.array([np.isin(row, own) for row, own in zip(truth, fetched, strict=True)])
    return found.mean(), found[:, 0].mean()


@pytest.mark.parametrize("nearest", [1, 10])
def test_tuning_looks_no_farther_than_the_recall_asks_for(clustered, exact, gallery_of, nearest):
    index = gallery_of(64)
    used = []
    for asked in (0.5, 0.93, 0.99):
        index.tuned = tune(index, exact, writers_of, RecallTarget(80, nearest, asked))
        details = index.details()
        of_ten, of_nearest = reached(index, clustered)
        assert details["recall"] == pytest.approx(of_ten, abs=0.002)
        assert details["recall_of_nearest"] == pytest.approx(of_nearest, abs=0.006)
        assert details["tuned_to_nearest"] == nearest
        assert (of_nearest if nearest == 1 else of_ten) >= asked
        used.append(details["nprobe"])
    assert used[0] < used[1] < used[2] < 64


def test_so_much_is_found_that_it_is_the_recall_of_others_too(exact, gallery_of):
    index = gallery_of(64)
    for asked in (0.92, 0.93, 0.94):
        index.tuned = tune(index, exact, writers_of, RecallTarget(80, 10, asked))
        deviation = np.sqrt(asked * (1 - asked) / 2000)
        assert index.details()["recall"] >= asked + deviation


def test_a_reference_is_found_where_one_of_its_writer_is_fetched(clustered, exact, gallery_of):
    index = gallery_of(64)
    lists = []
    for owners in (lambda ids: {one: str(one) for one in ids}, writers_of):
        index.tuned = tune(index, exact, owners, RecallTarget(80, 1, 0.98))
        assert index.tuned.recall_of_nearest >= 0.98
        lists.append(index.tuned.params.nprobe)
    assert lists[1] < lists[0] < 64
    # All erased meanwhile: there is nothing to miss.
    index.tuned = tune(index, exact, lambda _: {}, RecallTarget(80, 1, 0.98))
    assert (index.tuned.params.nprobe, index.tuned.recall) == (1, 1.0)


def test_where_the_recall_is_out_of_reach_everything_is_looked_into(clustered, exact, gallery_of):
    index = gallery_of(64)
    index.tuned = tune(index, exact, writers_of, RecallTarget(80, 10, 1.1))
    assert index.tuned.params.first == index.tuned.params.nprobe == 64
    assert index.tuned.recall == pytest.approx(reached(index, clustered)[0], abs=0.002)


def test_a_search_ends_where_the_nearest_stand_out(clustered, gallery_of, listed):
    """It looks into the first lists alone then, and answers as if there were no others."""
    index = gallery_of(64)
    probes = clustered[::20]
    answers = {}
    for nprobe in (4, 40):
        answers[nprobe] = index.search(probes, 20, SearchParams.at_once(nprobe, 256, 1))
    by = [stands_out(row.similarities, 1) for row in answers[4]]
    answers = {nprobe: listed(found) for nprobe, found in answers.items()}
    enough = float(np.median(by))
    params = replace(SearchParams.at_once(40, 256, 1), first=4, enough=enough)
    for row, much in enumerate(by):
        [found] = listed(index.search(probes[row : row + 1], 20, params))
        if much >= enough:
            assert found == answers[4][row]
        else:
            assert found[0] == answers[40][row][0]
    assert answers[4] != answers[40]


def test_what_has_no_neighbours_as_near_stands_out():
    alone = np.array([0.9, *np.linspace(0.5, 0.1, 79)], np.float32)
    among_others = np.array([0.9, *np.linspace(0.8, 0.1, 79)], np.float32)
    for nearest in (1, 10):
        assert stands_out(alone, nearest) != stands_out(among_others, nearest)
    assert stands_out(alone, 1) == pytest.approx(1.8 - alone[7])
    assert stands_out(alone, 1) > stands_out(among_others, 1)
    assert stands_out(alone, 10) == pytest.approx(2 * alone[9] - alone[79])
    there_are_no_more = np.array([0.9, 0.4], np.float32)
    assert stands_out(there_are_no_more, 10) == pytest.approx(0.4)


def test_more_lists_are_looked_into_where_the_nearest_hold_too_few(clustered):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    params = SearchParams.at_once(1, 256, 10)
    assert len(index.search(clustered[:1], 10, params)[0]) == 10
    found = index.search(clustered[:1], 5000, params)[0].reference_ids
    assert sorted(found.tolist()) == list(range(4000))


def test_a_compact_index_answers_as_before(clustered, listed):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    index.remove(np.arange(0, 4000, 7))
    before = listed(index.search(clustered[:50], 20))
    index = index.compacted()
    assert listed(index.search(clustered[:50], 20)) == before
    index.add(np.arange(0, 4000, 7), clustered[::7])
    assert index.holds(np.arange(4000), clustered).all()


@pytest.mark.parametrize("per_block", [32, 64, 128])
def test_blocks_are_laid_out_as_faiss_does_it(clustered, per_block):
    """FAISS's own packer knows blocks of 32 only: what it makes of many is the measure."""
    theirs = faiss.IndexIVFPQFastScan(
        faiss.IndexFlatIP(128), 128, 16, 48 + 16, 4, faiss.METRIC_INNER_PRODUCT, per_block
    )
    theirs.by_residual = False
    theirs.train(clustered)
    theirs.add(clustered)
    layout = layout_of(theirs.code_size, per_block)
    of_32 = layout_of(theirs.code_size, 32)
    for number in range(16):
        ids, blocks = views(theirs, number, layout)
        codes = theirs.pq.compute_codes(clustered[ids])
        assert np.array_equal(layout.unpack(blocks, np.arange(len(ids))), codes)
        assert np.array_equal(layout.pack(codes), blocks)
        assert np.array_equal(layout.saved(blocks)[: saved_blocks(len(ids))], of_32.pack(codes))
        assert np.array_equal(layout.restored(of_32.pack(codes)), blocks)


def own_centroids(trained, vectors):
    """The nearest of each vector, on the axes."""
    return trained.centroids[np.argmax(vectors @ trained.coarse.axes @ trained.centroids.T, axis=1)]


def test_codes_keep_what_an_inner_product_with_something_near_needs():
    """The codes nearest to the rest lose less of a vector, and tell its neighbours less well."""
    references, probes = gallery(20_000, seed=1, probes=1000)
    trained = untuned(references, 64)._trained
    codes, on_axes = trained.coarse, references @ trained.coarse.axes
    centroids = own_centroids(trained, references)
    plain = faiss.ProductQuantizer(80, 40, 4)
    faiss.copy_array_to_vector(codes.places.ravel(), plain.centroids)
    nearest, ours = plain.compute_codes(on_axes - centroids), codes.encode(references, centroids)
    assert ours.shape == (20_000, codes.code_bytes) == (20_000, 20)
    least = codes.losses(references, centroids, ours)
    assert (least <= codes.losses(references, centroids, nearest) + 1e-6).all()
    truth = np.argmax(probes @ references.T, axis=1)
    places = {}
    for name, chosen in (("nearest", nearest), ("ours", ours)):
        similarities = probes @ codes.axes @ (centroids + plain.decode(chosen)).T
        own = similarities[np.arange(1000), truth][:, np.newaxis]
        places[name] = (similarities > own).sum(axis=1).mean()
    assert places["ours"] < 0.85 * places["nearest"]


def test_a_code_says_only_what_a_vector_has_beside_the_centroid_of_its_list(clustered):
    """So that of many lists each code loses less than of few."""
    lost = []
    for lists in (4, 64):
        trained = untuned(clustered, lists)._trained
        centroids = own_centroids(trained, clustered)
        codes = trained.coarse.encode(clustered, centroids)
        lost.append(float(trained.coarse.losses(clustered, centroids, codes).mean()))
        lengths = np.linalg.norm(trained.centroids, axis=1)
        assert lengths == pytest.approx(np.full(lists, lengths[0]), rel=1e-4)
    assert lost[1] < 0.95 * lost[0]


def test_what_is_removed_leaves_no_code_behind(clustered):
    index = untuned(clustered, 16)
    index.add(np.arange(4000), clustered)
    gone = np.arange(0, 4000, 3)
    slots = index._id_map.slots_of(gone)
    index.remove(gone)
    assert not index._id_map.codes[slots].any()
    for number in range(16):
        ids, blocks = views(index._lists._scanner, number, index._lists._layout)
        behind = np.arange(len(ids), len(blocks) * index._lists._layout.per_block)
        assert not index._lists._layout.unpack(blocks, behind).any()
    kept = np.setdiff1d(np.arange(4000), gone)
    assert index.holds(kept, clustered[kept]).all()
    index.add(gone, clustered[gone])
    assert index.holds(np.arange(4000), clustered).all()


@pytest.mark.parametrize("dimension", [1, 3, 128])
def test_what_is_saved_of_a_list_is_a_copy(unit, dimension):
    """It is written while others change the list."""
    index = untuned(unit(300, seed=1, dimension=dimension), 2)
    index.add(np.arange(300), unit(300, seed=1, dimension=dimension))
    inside = views(index._lists._scanner, 0, index._lists._layout)
    for own in inside:
        for copied in index._lists.content(0):
            assert not np.shares_memory(own, copied)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5, 128])
def test_what_looks_worst_of_all_is_found_where_all_are_asked_for(unit, dimension):
    """FAISS alone returns nothing whose code adds up to nothing."""
    vectors = unit(60, seed=1, dimension=dimension)
    for sample in (vectors, vectors[:1], vectors[:0]):
        index = untuned(sample, 4)
        index.add(np.arange(60), vectors)
        [found] = index.search(vectors[:1], 60)
        assert sorted(found.reference_ids.tolist()) == list(range(60))


def to_the_ten_nearest(index, exact):
    return tune(index, exact, writers_of, RecallTarget(80, 10, 0.999))


@pytest.mark.parametrize("left", [0, 1, 9])
def test_a_gallery_erased_while_it_is_trained_can_be_searched(unit, left):
    vectors = unit(200, seed=1)
    sample = Sample(vectors[50:], np.arange(50), vectors[:50])
    remaining = np.arange(50 - left, 50 + left)  # Of them some are held back.
    index = filled(sample, 4, [(remaining, vectors[remaining])], to_the_ten_nearest)
    assert len(index.search(vectors[:1], 200)[0]) == 2 * left
    assert index.tuned.size == 2 * left


def test_without_anything_to_measure_by_everything_is_looked_into(unit):
    index = filled(Sample(unit(3), np.empty(0, np.int64), unit(3)[:0]), 3, [], to_the_ten_nearest)
    index.add(np.arange(80), unit(80, seed=2))
    assert len(index.search(unit(1), 80)[0]) == 80
    assert index.tuned.params.first == index.details()["lists"]


def test_one_image_of_many_writers_does_not_make_the_recall_unreachable(clustered):
    """Of vectors that are all the same, none is nearer than another."""
    copies = np.repeat(clustered[:1], 300, axis=0)
    vectors = np.concatenate([clustered, copies])
    exact = ExactNeighbours(np.concatenate([clustered[::20], copies[:20]]))
    others = np.setdiff1d(np.arange(len(vectors)), np.arange(0, 4000, 20))
    exact.see(others, vectors[others])
    index = untuned(vectors, 64)
    index.add(others, vectors[others])
    index.tuned = tune(index, exact, writers_of, RecallTarget(80, 10, 0.97))
    assert index.tuned.recall >= 0.97
    assert index.tuned.params.nprobe < 64


def test_a_search_looks_as_far_as_it_is_asked_to_and_leaves_the_index_as_it_was(
    clustered, gallery_of, exact, listed
):
    """Trials are searches too: others that go on meanwhile look as far as ever."""
    index = gallery_of(64)
    tuned, probes = index.tuned, clustered[::20]
    far = listed(index.search(probes, 20))
    near = listed(index.search(probes, 20, SearchParams.at_once(1, 128, 10)))
    assert near != far
    found = tune(index, exact, writers_of, RecallTarget(80, 10, 0.9))
    assert index.tuned is tuned
    assert listed(index.search(probes, 20)) == far
    index.tuned = found
    assert listed(index.search(probes, 20)) == listed(index.search(probes, 20, found.params))
    assert listed(index.search(probes, 20)) != far


def test_few_searches_are_tried_and_the_cheapest_plan_is_taken(exact, gallery_of, monkeypatch):
    index, tried = gallery_of(64), []
    searched = Trials._searched

    def counted(trials, params, rows):
        tried.append(params)
        return searched(trials, params, rows)

    monkeypatch.setattr(Trials, "_searched", counted)
    found = tune(index, exact, writers_of, RecallTarget(80, 10, 0.97))
    assert found.params in tried
    assert len(tried) == len(set(tried)) <= 40
    # Those that look less far find too little.
    at_once = SearchParams.at_once(found.params.nprobe // 2, found.params.candidates, 10)
    trials = Trials(index, exact, writers_of, 80)
    assert trials.of(at_once).missed(10) > 0.03
    assert trials.of(found.params).missed(10) <= 0.03


def test_a_trial_of_a_few_probes_is_made_whole_by_searching_for_the_others(
    exact, gallery_of, monkeypatch
):
    monkeypatch.setattr("index.ivf.recall_probes._ROUGHLY", 50)
    index, params, searched = gallery_of(64), SearchParams.at_once(9, 256, 10), []
    search = index.search

    def counted(probes, *others):
        searched.extend(map(bytes, probes))
        return search(probes, *others)

    monkeypatch.setattr(index, "search", counted)
    whole = Trials(index, exact, writers_of, 80).of(params)
    searched.clear()
    trials = Trials(index, exact, writers_of, 80)
    rough = trials.roughly(params)
    assert len(rough.depths) == len(searched) == 50
    completed = trials.of(params)
    assert sorted(searched) == sorted(map(bytes, exact.probes))
    for ours, theirs in ((completed, whole), (rough, trials.roughly(params))):
        assert np.array_equal(ours.depths, theirs.depths)
        assert np.array_equal(ours.standing_out, theirs.standing_out)
    assert len(searched) == 200
    assert 0 < rough.missed(10) < 0.5
    assert len(np.unique(rough.depths)) > 5


def test_what_a_few_probes_rule_out_is_not_what_would_have_been_taken(
    exact, gallery_of, monkeypatch
):
    """The same is taken after fewer searches where first looks are tried on a few before all.

    In so small a gallery first looks are worth it only if they cost next to nothing.
    """
    monkeypatch.setattr("index.ivf.tune._SCANNED_PER_LOOK", 0)
    monkeypatch.setattr("index.ivf.tune._SCANNED_PER_CANDIDATE", 1)
    index, searched = gallery_of(64), []
    search = index.search

    def counted(probes, *others):
        searched.append(len(probes))
        return search(probes, *others)

    monkeypatch.setattr(index, "search", counted)
    counts, taken = [], []
    for few in (200, 100):
        monkeypatch.setattr("index.ivf.recall_probes._ROUGHLY", few)
        taken.append([tune(index, exact, writers_of, RecallTarget(80, 10, r)) for r in (0.9, 0.98)])
        counts.append(sum(searched))
        searched.clear()
    assert taken[1] == taken[0]
    assert counts[1] < counts[0]
    assert taken[0][0].params.first < taken[0][0].params.nprobe
