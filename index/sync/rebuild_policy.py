"""Which kind of index a gallery's size asks for, and how one is made of the registry."""

from functools import partial

from index.ivf.build import train
from index.ivf.index import IvfIndex
from index.registry.registry import Registry
from index.sync.change_replay import Replayed, batches, fill, replay
from index.vectors.flat_index import FlatIndex
from index.vectors.vector_index import LocalIndex, RecallTarget

KINDS: dict[str, type[LocalIndex]] = {kind.kind: kind for kind in (FlatIndex, IvfIndex)}


def outgrown(index: LocalIndex, ivf_from: int, target: RecallTarget) -> bool:
    """Whether a gallery of this size, and this recall, wants another index than this one."""
    if index.kind == FlatIndex.kind:
        return index.size() >= ivf_from
    # Half, so that a size that goes up and down there does not change the kind each time.
    return index.size() < ivf_from // 2 or not index.suits(target)


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
