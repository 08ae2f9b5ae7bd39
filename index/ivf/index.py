"""The index for large galleries: a quick look at many, a closer one at few (FAISS IVF fast scan).

The first goes through the lists nearest to the probe, by 4-bit codes (`coarse_codes`), many at
once; the second puts the best few hundred in order by `fine_codes`. Where the neighbours found
stand out so much that none nearer can be expected (`search_params`), it is left at a part of the
lists. What comes back is near, not exact: whoever needs scores computes them from the registry.
`build` makes a new one, `tune` finds out how far it must look, `id_map` knows where a reference is,
`inverted_lists` what is searched, `file_format` the form on disk.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from index.errors import DuplicateReference, InvalidVector, SnapshotUnusable
from index.ivf import file_format
from index.ivf.file_format import Codes, Content, Trained
from index.ivf.id_map import IdMap
from index.ivf.inverted_lists import InvertedLists
from index.ivf.search_params import SearchParams, Tuned, least_fetched, stands_out
from index.vectors import heap_trim
from index.vectors.faiss_threads import use_one_faiss_thread
from index.vectors.unit_vectors import unit_vectors
from index.vectors.vector_index import NO_NEIGHBOURS, Neighbours, RecallTarget

# A list as near as this to the nearest may hold a vector: sums are rounded by up to so much.
_SAME_SIMILARITY = 1e-4
# Of what a 4-bit code loses: where rounding decides, another code may be as good, or nearly.
_AS_GOOD, _ROUNDING = 1.2, 1e-3
_LOOKED_AT = 2000  # References, to say how well all fit.
_OUTGROWN = 4  # So many times as many references as it was tuned for want other lists.
# Where what came since does not fit what was trained, less is found: `benchmarks.index_drift`.
# Others of the same kind lose 1.07 times as much at 50,000, 1.3 times at 12,000: lists fitted to
# fewer fit these alone.
_WORSE, _LOOKED_FOR_FROM = 1.2, 50_000
_CHANGED = 8  # Of so many references one has changed: it is worth a look.


class IvfIndex:
    """References in lists of neighbours; see VectorIndex for what each method promises.

    One change at a time is prepared beside the searches.
    """

    kind = "ivf"

    def __init__(
        self,
        trained: Trained,
        tuned: Tuned,
        lists: Iterable[Content] = (),
        codes: Codes | None = None,
    ) -> None:
        """Take what was trained, and what is held if there is anything yet, without copying codes.

        In these (m, f) lie those of all lists one after another; there may be room behind them.
        """
        self.tuned = tuned
        self.dimension = len(trained.coarse.axes)
        self._trained = trained
        self._lists = InvertedLists(trained)
        self._id_map = self._filled(lists, codes)
        self._lists.show(self._id_map.codes)
        self._changing = threading.Lock()
        self.changed = self.size()  # How many came or went since `fit` was last asked for.

    def add(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add ids (n,) and unit vectors (n, d), all or none."""
        ids = np.ascontiguousarray(reference_ids, dtype=np.int64)
        checked = unit_vectors(vectors, self.dimension)
        if ids.shape != (len(checked),):
            raise InvalidVector(
                f"Expected one id for each of {len(checked)} vectors, got {ids.shape}."
            )
        if len(np.unique(ids)) != len(ids):
            raise DuplicateReference(None)
        if not ids.size:
            return
        numbers = self._nearest_list(checked)[1]
        codes = self._trained.coarse.encode(checked, self._trained.centroids[numbers])
        fine = self._trained.fine.encode(checked)
        with self._changing:
            known = ids[self._id_map.slots_of(ids) >= 0]
            if known.size:
                raise DuplicateReference(int(known.min()))
            # Before they are in a list: a search that finds a slot there finds its fine code here.
            with self._shown_anew():
                slots = self._id_map.put(ids, numbers.astype(np.int16), fine)
            order = np.argsort(numbers, kind="stable")
            found, starts = np.unique(numbers[order], return_index=True)
            for number, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
                self._lists.append(number, slots[rows], codes[rows])
            self.changed += len(ids)

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were."""
        wanted = np.unique(np.asarray(reference_ids, dtype=np.int64))
        with self._changing:
            slots = self._id_map.slots_of(wanted)
            gone = slots[slots >= 0]
            numbers = self._id_map.lists[gone]
            for number in np.unique(numbers).tolist():
                self._lists.take_out(number, gone[numbers == number])
            self._id_map.drop(gone)
            self.changed += len(gone)
        return len(gone)

    def detach(self) -> None:
        """Keep nothing of the file that it was loaded from."""
        with self._changing, self._shown_anew():
            self._id_map.detach()

    def search(
        self, probes: NDArray[np.float32], k: int, params: SearchParams | None = None
    ) -> list[Neighbours]:
        """Return for each probe of (n, d) its min(k, size) nearest references, as far as seen.

        It looks as far as it was tuned to unless parameters are given, and into more lists where
        those hold fewer than k.
        """
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        checked = unit_vectors(probes, self.dimension)
        with self._lists.lock.reading():
            found = min(k, self.size())
            if not found:
                return [NO_NEIGHBOURS] * len(checked)
            given = self.tuned.params if params is None else params
            return [self._nearest(probe[np.newaxis], found, given) for probe in checked]

    @property
    def list_count(self) -> int:
        """How many lists there are, empty ones too."""
        return self._lists.count

    def size(self) -> int:
        """How many references there are."""
        return self._lists.size()

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        with self._changing:
            return self._id_map.reference_ids()

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) each vector is held, to one step of the codes, in a list nearest to it.

        A 4-bit code is right if it loses about as little of the vector as the one made now.
        """
        with self._changing:
            slots = self._id_map.slots_of(reference_ids)
            if reference_ids.size and slots.min() < 0:
                raise KeyError(int(reference_ids[slots.argmin()]))
            numbers = self._id_map.lists[slots]
            fine, codes = self._id_map.codes[slots], self._lists.codes_of(slots, numbers)
        if not reference_ids.size:
            return np.empty(0, np.bool_)
        whole = np.ascontiguousarray(vectors, dtype=np.float32)
        coarse, centroids = self._trained.coarse, self._trained.centroids[numbers]
        steps = self._trained.fine.steps_apart(fine, self._trained.fine.encode(whole))
        least = coarse.losses(whole, centroids, coarse.encode(whole, centroids))
        as_good = coarse.losses(whole, centroids, codes) <= _AS_GOOD * least + _ROUNDING
        own = np.einsum("ij,ij->i", whole @ coarse.axes, centroids)
        best = self._nearest_list(whole)[0]
        right: NDArray[np.bool_] = (steps <= 1) & as_good & (own >= best - _SAME_SIMILARITY)
        return right

    def ranks(self, probes: NDArray[np.float32]) -> NDArray[np.int16]:
        """Return how many lists (n, l) a search for probes (n, d) looks into before each list."""
        near = probes @ self._trained.coarse.axes @ self._trained.centroids.T
        order = np.argsort(-near, axis=1)
        ranks = np.empty(order.shape, np.int16)
        np.put_along_axis(ranks, order, np.arange(order.shape[1], dtype=np.int16)[None], axis=1)
        return ranks

    def lists_of(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return in which list each reference (n, k) is, -1 for one that is not there."""
        with self._changing:
            slots = self._id_map.slots_of(reference_ids.ravel())
            numbers = np.full(len(slots), -1, np.int64)
            numbers[slots >= 0] = self._id_map.lists[slots[slots >= 0]]
        return numbers.reshape(reference_ids.shape)

    def fit(self) -> tuple[float, float]:
        """Return how well what is held fits what was trained: a loss, and an imbalance.

        What 4-bit codes lose on average of some references, and how unlike in size the lists are.
        """
        with self._changing:
            self.changed = 0
            slots = self._id_map.some(_LOOKED_AT)
            numbers, fine = self._id_map.lists[slots], self._id_map.codes[slots]
            imbalance = self._lists.imbalance()
        if not len(slots):
            return 0.0, 0.0
        vectors, centroids = self._trained.fine.decode(fine), self._trained.centroids[numbers]
        codes = self._trained.coarse.encode(vectors, centroids)
        return float(self._trained.coarse.losses(vectors, centroids, codes).mean()), imbalance

    def suits(self, target: RecallTarget) -> bool:
        """Whether it was tuned to this target, with not much fewer references than now."""
        tuned = self.tuned
        if target.nearest != tuned.params.nearest or tuned.fetched not in {0, target.fetched}:
            return False
        return self.size() < _OUTGROWN * tuned.size

    def may_have_drifted(self) -> bool:
        """Whether an eighth has changed since `fit` was last asked for."""
        if not self.tuned.loss or self.size() < _LOOKED_FOR_FROM:
            return False
        return self.changed * _CHANGED >= self.size()

    def has_drifted(self) -> bool:
        """Whether what is held no longer fits what was trained; False if too little changed."""
        if not self.may_have_drifted():
            return False
        loss, imbalance = self.fit()
        return loss > _WORSE * self.tuned.loss or imbalance > _WORSE * self.tuned.imbalance

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        trained = int(self._trained.centroids.nbytes)
        return self._lists.memory_bytes() + self._id_map.memory_bytes() + trained

    def details(self) -> dict[str, int | float]:
        """Return the recall reached, and how."""
        tuned = self.tuned
        params = tuned.params
        return {
            "recall": tuned.recall,
            "recall_of_nearest": tuned.recall_of_nearest,
            "tuned_to_nearest": params.nearest,
            "lists": self._lists.count,
            "nprobe": params.nprobe,
            "nprobe_first": params.first,
            "candidates": params.candidates,
            "candidates_first": params.first_candidates,
            "tuned_at_size": tuned.size,
        }

    def save(self, path: Path) -> None:
        """Write a copy to a file, list by list; searches and changes go on.

        What changes meanwhile may or may not be in it.
        """
        file_format.save(path, self._trained, self.tuned.as_dict(), self._copied_lists())

    @classmethod
    def load(cls, path: Path, dimension: int) -> Self:
        """Read what `save` wrote.

        Raises:
            SnapshotUnusable: the file holds anything else.
        """
        with file_format.opened(path, dimension) as saved:
            try:
                tuned = Tuned.from_dict(saved.facts, len(saved.trained.centroids))
            except ValueError as error:
                raise SnapshotUnusable(f"{path.name} does not say how it is searched") from error
            index = cls(saved.trained, tuned, saved.lists, saved.codes)
        if not np.diff(index.reference_ids()).all():
            raise SnapshotUnusable(f"{path.name} holds a reference twice")
        heap_trim.give_back()
        return index

    def compacted(self) -> Self:
        """Return a copy in which what is near lies together, without room to grow."""
        lists, codes = zip(*self._copied_lists(), strict=True)
        compact = type(self)(self._trained, self.tuned, lists, np.concatenate(codes))
        del lists, codes
        heap_trim.give_back()
        return compact

    @contextmanager
    def _shown_anew(self) -> Iterator[None]:
        """Let searches see the slots' fine codes where the block replaces them."""
        before = self._id_map.codes  # Kept until nobody searches it.
        try:
            yield
        finally:
            if self._id_map.codes is not before:
                self._lists.show(self._id_map.codes)

    def _nearest(self, probe: NDArray[np.float32], found: int, params: SearchParams) -> Neighbours:
        """Return the `found` best of what is looked at for a probe (1, d)."""
        nprobe, candidates, nearest = params.first, params.first_candidates, params.nearest
        k = min(max(found, least_fetched(nearest)), self.size())
        while True:
            similarities, slots = self._lists.search(probe, k, nprobe, candidates)
            if slots[-1] < 0 and nprobe == self._lists.count:
                similarities, slots = self._lists.search_all(probe, k)
                break
            if slots[-1] < 0:
                nprobe = min(max(4 * nprobe, params.nprobe), self._lists.count)
            elif nprobe >= params.nprobe or stands_out(similarities, nearest) >= params.enough:
                break
            else:
                nprobe = params.nprobe
            candidates = params.candidates
        return Neighbours(self._id_map.ids[slots[:found]], similarities[:found])

    def _nearest_list(
        self, vectors: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the similarity (n,) to the nearest centroid of vectors (n, d), and its list."""
        use_one_faiss_thread()
        on_axes = np.ascontiguousarray(vectors @ self._trained.coarse.axes)
        similarities, numbers = faiss.knn(
            on_axes, self._trained.centroids, 1, metric=faiss.METRIC_INNER_PRODUCT
        )
        return similarities[:, 0], numbers[:, 0]

    def _filled(self, lists: Iterable[Content], codes: Codes | None) -> IdMap:
        """Fill the lists, and return the slots that they hold, numbered list by list."""
        all_ids, sizes, start = [np.empty(0, np.int64)], [], 0
        for number, (ids, blocks) in enumerate(lists):
            self._lists.fill(number, np.arange(start, start + len(ids)), blocks)
            all_ids.append(ids)
            sizes.append(len(ids))
            start += len(ids)
        if codes is None:
            codes = np.empty((0, self._trained.fine.code_bytes), np.uint8)
        numbers = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
        return IdMap(np.concatenate(all_ids), numbers, codes)

    def _copied_lists(self) -> Iterator[tuple[Content, Codes]]:
        for number in range(self._lists.count):
            with self._changing:
                slots, blocks = self._lists.content(number)
                copied = (self._id_map.ids[slots], blocks), self._id_map.codes[slots]
            yield copied
