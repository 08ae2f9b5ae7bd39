"""Turns uploaded files into acquired signatures, or reasons why not; use cases go on from there."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from encoder.cautions import Caution
from encoder.errors import FailureToAcquire, ImageError
from encoder.imaging.acquire import Acquisition
from encoder.imaging.preview import preview_png
from encoder.imaging.region import Region
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import turned_among
from encoder.inference.simple_marks import simple_marks
from encoder.scoring.templates import Signatures
from index.registry.references import NewReference
from service.errors import Refusal
from service.writers.template_codec import packed_pieces


@dataclass(frozen=True)
class Upload:
    """One file as the caller sent it; `filename` is only ever shown back to the caller.

    `region` is the part of it to look at; all of it, if None.
    """

    filename: str | None
    data: bytes
    region: Region | None = None

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes, by which the same file is recognised."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Acquired:
    """An upload in which a usable signature was found."""

    upload: Upload
    sha256: str
    acquisition: Acquisition


def acquire_one(upload: Upload, encoder: Encoder) -> Acquired:
    """Find the signature in one upload.

    Raises:
        ImageError: the image cannot be used; the message says why.
    """
    return Acquired(upload, upload.sha256, encoder.acquire(upload.data, region=upload.region))


def acquire_each(
    uploads: Sequence[Upload], encoder: Encoder
) -> tuple[list[Acquired], list[Refusal]]:
    """Find the signature in each upload; an unusable one is refused without stopping the others."""
    acquired: list[Acquired] = []
    refused: list[Refusal] = []
    for upload in uploads:
        try:
            acquired.append(acquire_one(upload, encoder))
        except ImageError as error:
            boxes = error.boxes if isinstance(error, FailureToAcquire) else ()
            refused.append(Refusal(upload.filename, error.code, str(error), boxes=boxes))
    return acquired, refused


def without_repeats(
    uploads: Sequence[Upload], known: Mapping[str, int] | None = None
) -> tuple[list[Upload], list[Refusal]]:
    """Part uploads into those that come for the first time and the same files again, refused.

    `known` maps the sha256 of images that are references already to their ids: the same scan
    twice would count one observation of the writer as two.
    """
    known = known or {}
    seen: dict[str, str | None] = {}
    first: list[Upload] = []
    refused: list[Refusal] = []
    for upload in uploads:
        digest = upload.sha256
        if digest in known:
            reason = f"This image is already reference {known[digest]} of this writer."
            refused.append(Refusal(upload.filename, "duplicate-image", reason))
        elif digest in seen:
            reason = f"This image came twice in one request; see {seen[digest] or 'the first'!r}."
            refused.append(Refusal(upload.filename, "duplicate-image", reason))
        else:
            first.append(upload)
        seen.setdefault(digest, upload.filename)
    return first, refused


def describe_each(acquired: Sequence[Acquired], encoder: Encoder) -> Signatures:
    """Describe all of one or more signatures in one batch, to compare or to keep."""
    return encoder.describe(np.stack([one.acquisition.canvas for one in acquired]))


def new_references(
    acquired: Sequence[Acquired], encoder: Encoder, *, several_writers: bool = False
) -> list[NewReference]:
    """Describe signatures in one batch, and make of each what the registry keeps of a reference.

    Those that many others could make are warned of, and those of one writer that lie otherwise
    than the rest.
    """
    if not acquired:
        return []
    signatures = describe_each(acquired, encoder)
    pieces = packed_pieces(signatures)
    alone = [one.acquisition for one in acquired]
    turned = [()] * len(acquired) if several_writers else turned_among(alone, signatures, encoder)
    told = zip(turned, simple_marks(alone, signatures, encoder), strict=True)
    return [
        NewReference(
            image=one.upload.data,
            media_type=one.acquisition.media_type,
            cleaned_png=preview_png(one.acquisition.ink),
            sha256=one.sha256,
            quality=_quality(one, (*way, *simple)),
            vector=vector,
            filename=one.upload.filename,
            pieces=own,
        )
        for one, vector, own, (way, simple) in zip(
            acquired, signatures.vectors, pieces, told, strict=True
        )
    ]


def _quality(one: Acquired, more: tuple[Caution, ...]) -> dict[str, object]:
    """What is kept of an image's quality; its region too, to find the same signature again."""
    region = one.upload.region
    return one.acquisition.quality.with_warnings(more).as_dict() | (
        {} if region is None else {"region": asdict(region)}
    )
