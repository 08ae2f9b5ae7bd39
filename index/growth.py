"""Which kind of index a gallery's size asks for, and how one is made of the registry."""

from index.flat import FlatIndex
from index.follow import Followed, fill, follow
from index.ivf import IvfIndex
from index.reference_index import LocalIndex
from index.registry import Registry
from index.training import train

KINDS: dict[str, type[LocalIndex]] = {kind.kind: kind for kind in (FlatIndex, IvfIndex)}
# Exact search takes some 4 ms for so many references, and grows with them.
IVF_FROM = 200_000
_OUTGROWN = 4


def outgrown(index: LocalIndex, ivf_from: int, nearest: int) -> bool:
    """Whether a gallery of this size, and this recall, wants another index than this one."""
    size = index.size()
    if not isinstance(index, IvfIndex):
        return size >= ivf_from
    # Half, so that a size that goes up and down there does not change the kind each time.
    tuned = index.tuning
    other = size >= _OUTGROWN * tuned.size or nearest != tuned.nearest
    return other or size < ivf_from // 2


def build(
    registry: Registry, model_id: str, dimension: int, ivf_from: int, nearest: int
) -> Followed:
    """Make the index that the registry's size asks for, and bring it to where the registry is.

    An approximate one finds 99.9 % of the `nearest` (1 or 10) nearest references.
    """
    size = registry.gallery_size(model_id).references
    if size >= ivf_from:
        built = train(registry, model_id, dimension, size, nearest)
    else:
        built = fill(registry, FlatIndex(dimension), model_id)
    return follow(registry, built, model_id)
