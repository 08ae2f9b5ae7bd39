"""Signatures as the registry keeps them: what an encoder describes becomes bytes, and back."""

from collections.abc import Sequence

import numpy as np

from encoder.inference.encoder import Encoder
from encoder.scoring.local_descriptors import pack, unpack
from encoder.scoring.templates import Signatures
from index.errors import InvalidPieces
from index.registry.embeddings import Claim
from index.registry.references import NewReference


def packed_pieces(signatures: Signatures) -> Sequence[bytes | None]:
    """The pieces of each of n signatures, to keep; None n times from a model that knows none."""
    if signatures.pieces is None:
        return [None] * len(signatures)
    return [pack(pieces) for pieces in signatures.pieces]


def signatures_of_new(references: Sequence[NewReference]) -> Signatures:
    """One or more references about to be enrolled, as the encoder described them."""
    vectors = np.stack([one.vector for one in references])
    pieces = tuple(unpack(one.pieces) for one in references if one.pieces is not None)
    return Signatures(vectors, pieces if len(pieces) == len(references) else None)


def signatures_of(claim: Claim, encoder: Encoder) -> Signatures:
    """A writer's references as the encoder described them, to be compared in full.

    Raises:
        InvalidPieces: the encoder knows pieces, and some reference's are not kept or damaged. A
            score without them would be measured by thresholds that were made for another.
    """
    if not encoder.knows_pieces:
        return Signatures(claim.vectors)
    problem = "some are missing"
    if claim.pieces is not None:
        try:
            return Signatures(claim.vectors, tuple(unpack(own) for own in claim.pieces))
        except ValueError as error:
            problem = str(error)
    raise InvalidPieces(
        f"Expected the pieces of strokes of each reference of writer {claim.writer_id!r}: "
        f"{problem}. The registry is damaged; erase the writer, and enroll them again."
    )
