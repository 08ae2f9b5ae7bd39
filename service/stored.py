"""Signatures as the registry keeps them: what an encoder describes becomes bytes, and back."""

from collections.abc import Sequence

from encoder.pieces import pack, unpack
from encoder.signatures import Signatures
from index.errors import InvalidPieces
from index.values import Claim


def packed_pieces(signatures: Signatures) -> Sequence[bytes | None]:
    """The pieces of each of n signatures, to keep; None n times from a model that knows none."""
    if signatures.pieces is None:
        return [None] * len(signatures)
    return [pack(pieces) for pieces in signatures.pieces]


def signatures_of(claim: Claim) -> Signatures:
    """A writer's references as signatures, with pieces where the claim has them.

    Raises:
        InvalidPieces: what is kept cannot be read: the registry is damaged.
    """
    if claim.pieces is None:
        return Signatures(claim.vectors)
    try:
        return Signatures(claim.vectors, tuple(unpack(own) for own in claim.pieces))
    except ValueError as error:
        raise InvalidPieces(f"The pieces kept of writer {claim.writer_id!r}: {error}.") from error


def references_for(probe: Signatures, claim: Claim) -> Signatures:
    """A writer's references, to compare in full with a probe described by the same model.

    Raises:
        InvalidPieces: the model knows pieces, and some reference's are not kept. A score without
            them would be measured by thresholds that were made for another.
    """
    references = signatures_of(claim)
    if probe.pieces is not None and references.pieces is None:
        raise InvalidPieces(
            f"Expected the pieces of strokes of each reference of writer {claim.writer_id!r}, some "
            "are missing: the registry is damaged. Erase the writer, and enroll them again."
        )
    return references
