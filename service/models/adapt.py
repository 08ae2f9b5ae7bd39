"""Reads from the registry what a model is adapted to: the embeddings of all enrolled references."""

from collections.abc import Iterator

from encoder.scoring.templates import Vectors
from index.registry.registry import Registry

WRITERS_AT_ONCE = 200


def embeddings_by_writer(registry: Registry, model_id: str) -> Iterator[Vectors]:
    """Yield the embeddings `(r, d)` of each writer's references, in the order of their ids.

    Writers without references that the model has embedded are passed over.
    """
    cursor = None
    while True:
        page = registry.writers.page(cursor=cursor, limit=WRITERS_AT_ONCE)
        claims = registry.embeddings.claims([one.writer_id for one in page.writers], model_id)
        for claim in claims.values():
            yield claim.vectors
        cursor = page.next_cursor
        if cursor is None:
            return
