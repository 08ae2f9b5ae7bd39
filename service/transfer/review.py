"""Tells of an import's references what enrollment tells of its own: strangers and collisions.

It runs once all are stored. Only then are a writer's other references there to speak for one, and
the other writers of the same import to collide with.
"""

import os
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from index.registry.embeddings import Claim
from service.transfer.importing import Imported
from service.writers.copies import held_specimens
from service.writers.remarks import Enrolled, Remark, Subject, remarks
from service.writers.template_codec import signatures_of

# Files whose writers are looked at together: one search, and few questions to the registry.
TOGETHER = 256

Files = Mapping[str, Mapping[str, str]]  # Of each writer, by their sha256, where files are.


@dataclass(frozen=True, slots=True)
class FileWarning:
    """What to look at in one reference, and the file that it came from.

    `filename` is None for a reference of the writer's that this source does not hold.
    """

    filename: str | None
    writer_id: str
    reference_id: int
    code: str
    message: str


@dataclass(frozen=True)
class Reviewed:
    """How many files were looked at, and what there is to tell of them and of their writers."""

    files: int
    warnings: tuple[FileWarning, ...]


def review(imported: Iterable[Imported], enrolled: Enrolled) -> Generator[Reviewed, None, None]:
    """Look at what was imported, some writers at a time, in the order of their first files.

    What was there before is looked at too, so that an import that was cut off and run again tells
    everything.
    """
    by_writer: dict[str, dict[str, str]] = defaultdict(dict)
    for one in imported:
        by_writer[one.writer_id].setdefault(one.sha256, one.where)
    cores = len(os.sched_getaffinity(0))
    running: deque[Future[Reviewed]] = deque()
    pool = ThreadPoolExecutor(cores, "review")
    try:
        for some in _portions(by_writer):
            running.append(pool.submit(_looked_at, some, enrolled))
            if len(running) > cores:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _portions(by_writer: Files) -> Iterable[Files]:
    portion: dict[str, Mapping[str, str]] = {}
    files = 0
    for writer_id, own in by_writer.items():
        portion[writer_id] = own
        files += len(own)
        if files >= TOGETHER:
            yield portion
            portion, files = {}, 0
    if portion:
        yield portion


def _looked_at(by_writer: Files, enrolled: Enrolled) -> Reviewed:
    registry, encoder = enrolled.registry, enrolled.encoder
    claims = registry.embeddings.claims(by_writer.keys(), encoder.model_id, with_pieces=True)
    subjects, files = [], []
    for writer_id, claim in claims.items():
        ids = registry.references.sha256_to_id(writer_id)
        digests = {ids[sha256]: sha256 for sha256 in by_writer[writer_id] if sha256 in ids}
        own = {one: by_writer[writer_id][sha256] for one, sha256 in digests.items()}
        subjects.append(_subject(claim, digests, own, enrolled))
        files.append(own)
    told = remarks(subjects, enrolled)
    warnings = tuple(
        warning
        for claim, own, found in zip(claims.values(), files, told, strict=True)
        for warning in _warnings(claim, own, found)
    )
    return Reviewed(sum(map(len, by_writer.values())), warnings)


def _subject(
    claim: Claim, digests: Mapping[int, str], files: Mapping[int, str], enrolled: Enrolled
) -> Subject:
    ids: list[int] = claim.reference_ids.tolist()
    names = [repr(files[one]) if one in files else f"Reference {one}" for one in ids]
    specimens = held_specimens(claim, enrolled.registry)
    new = {
        place: replace(specimens[place], sha256=digests[one])
        for place, one in enumerate(ids)
        if one in digests
    }
    return Subject(claim.writer_id, signatures_of(claim, enrolled.encoder), names, new)


def _warnings(
    claim: Claim, files: Mapping[int, str], told: Sequence[Remark]
) -> Iterable[FileWarning]:
    ids: list[int] = claim.reference_ids.tolist()
    for one in told:
        reference_id = ids[one.place]
        yield FileWarning(
            files.get(reference_id),
            claim.writer_id,
            reference_id,
            one.caution.code,
            one.caution.message,
        )
