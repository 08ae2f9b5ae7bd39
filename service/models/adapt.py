"""The story of adapting: what do all enrolled signatures share, that it may be taken off?

It reads the registry alone; stored embeddings stay as they are.
"""

from collections.abc import Iterator

from encoder.scoring.templates import Vectors
from index.registry.registry import Registry

PAGE = 200  # Writers read at once.


def enrolled(registry: Registry, model_id: str) -> Iterator[Vectors]:
    """Yield the embeddings `(r, d)` of each writer's references, in the order of their ids.

    Writers without references that the model has embedded are passed over.
    """
    cursor = None
    while True:
        page = registry.writers.page(cursor=cursor, limit=PAGE)
        claims = registry.embeddings.claims([one.writer_id for one in page.writers], model_id)
        for claim in claims.values():
            yield claim.vectors
        cursor = page.next_cursor
        if cursor is None:
            return
