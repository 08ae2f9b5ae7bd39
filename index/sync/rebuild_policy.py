"""Which kind of index a gallery's size asks for, and how one is made of the registry."""

from functools import partial

from index.ivf.build import train
from index.ivf.index import IvfIndex
from index.ivf.search_params import RecallTarget
from index.registry.registry import Registry
from index.sync.change_replay import Replayed, batches, fill, replay
from index.vectors.flat_index import FlatIndex
from index.vectors.vector_index import LocalIndex

KINDS: dict[str, type[LocalIndex]] = {kind.kind: kind for kind in (FlatIndex, IvfIndex)}
_OUTGROWN = 4
# Where what came since does not fit what was trained, less is found: `benchmarks.index_drift`.
# Others of the same kind lose 1.07 times as much at 50,000, 1.3 times at 12,000: lists fitted to
# fewer fit these alone.
_WORSE, _LOOKED_FOR_FROM = 1.2, 50_000
_CHANGED = 8


def outgrown(index: LocalIndex, ivf_from: int, target: RecallTarget) -> bool:
    """Whether a gallery of this size, and this recall, wants another index than this one."""
    size = index.size()
    if not isinstance(index, IvfIndex):
        return size >= ivf_from
    # Half, so that a size that goes up and down there does not change the kind each time.
    tuned = index.tuned
    other_target = target.nearest != tuned.params.nearest or tuned.fetched not in {
        0,
        target.fetched,
    }
    return other_target or size >= _OUTGROWN * tuned.size or size < ivf_from // 2


def may_have_drifted(index: LocalIndex) -> bool:
    """Whether so much changed, an eighth, that it is worth a look: see `drifted`."""
    if not isinstance(index, IvfIndex) or not index.tuned.loss:
        return False
    return index.size() >= _LOOKED_FOR_FROM and index.changed * _CHANGED >= index.size()


def drifted(index: LocalIndex) -> bool:
    """Whether what is held is no longer like what the index was trained on; takes a moment."""
    if not isinstance(index, IvfIndex) or not may_have_drifted(index):
        return False
    loss, imbalance = index.fit()
    tuned = index.tuned
    return loss > _WORSE * tuned.loss or imbalance > _WORSE * tuned.imbalance


def build(
    registry: Registry, model_id: str, dimension: int, ivf_from: int, target: RecallTarget
) -> Replayed:
    """Make the index that the registry's size asks for, and bring it to where the registry is.

    An approximate one is tuned to the target.
    """
    size = registry.models.gallery_size(model_id).references
    if size >= ivf_from:
        position = registry.changes.head()
        vectors = partial(batches, registry, model_id, dimension)
        index = train(vectors, size, dimension, registry.references.writers_of, target)
        built = Replayed(index, position)
    else:
        built = fill(registry, FlatIndex(dimension), model_id)
    return replay(registry, built, model_id)
