"""Tells a query signature that is a copy: of a reference, or of what matched another writer before.

A perfect overlay is a sign of cut and paste, not of the writer's hand. What is no copy costs one
comparison of vectors here; the ink is looked at only where the two are alike beyond the usual.
"""

from collections.abc import Sequence

from encoder.cautions import Caution
from encoder.imaging.preview import preview_png
from encoder.scoring.templates import Signatures
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from service.writers.copies import Copied, Specimen, copied, held_specimens, may_be_copies
from service.writers.uploads import Acquired

LOOKED_AT = 2  # The ink of so many references, the most alike, at most.


def replay_of_reference(
    probe: Acquired, described: Signatures, claim: Claim, registry: Registry
) -> Caution | None:
    """Say so where a query signature is one of the claimed writer's references again."""
    specimen = query_specimen(probe, described)
    held = held_specimens(claim, registry)
    if not may_be_copies(specimen, held):
        return None
    same_file = registry.references.sha256_to_id(claim.writer_id).get(probe.sha256)
    if same_file is not None:
        return _replay(f"is the very file of reference {same_file}")
    return replay_among(specimen, held)


def replay_among(probe: Specimen, references: Sequence[Specimen]) -> Caution | None:
    """Say so where a query signature is one of these references again."""
    found = copied(probe, references, LOOKED_AT)
    return None if found is None else _replay(_same_ink(found))


def query_specimen(probe: Acquired, described: Signatures) -> Specimen:
    """The query signature (n = 1), to be held against references."""
    return Specimen(
        "the query signature",
        described.vectors[0],
        lambda: preview_png(probe.acquisition.ink),
        probe.sha256,
    )


def seen_before(sha256: str, writer_id: str | None, registry: Registry) -> Caution | None:
    """Say so where this very file matched another writer before."""
    others = registry.decisions.matched_others(sha256, writer_id)
    if not others:
        return None
    return Caution(
        "seen-before",
        f"This very file matched {' and '.join(others)} before, as the audit trail shows. One "
        "signature is of one writer: find out where the file comes from.",
    )


def _same_ink(found: Copied) -> str:
    return (
        f"is {found.original.shown_as} again, saved, scanned or copied anew "
        f"({100 * found.share:.0f}% of the strokes lie on each other)"
    )


def _replay(what: str) -> Caution:
    return Caution(
        "replay",
        f"The query signature {what}. Nobody signs twice so alike: a sign of cut and paste. Ask "
        "for the paper, or for a new signature.",
    )
