"""Compares signatures that come with the request; nothing of them stays."""

from collections.abc import Sequence

from encoder.cautions import Caution
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import compare_as_it_lies
from service.decisions.answering_model import AnsweringModel
from service.decisions.verify import Verification, compared_references
from service.errors import ImagesRefused
from service.writers.uploads import Acquired, Upload, acquire_each, acquire_one, describe_each


def compare(
    reference_uploads: Sequence[Upload],
    probe_upload: Upload,
    *,
    encoder: Encoder,
    operating_point: str | None = None,
) -> Verification:
    """Compare a query signature with references given beside it; store and record nothing.

    A comparison on fewer references than were given would answer another question, so one
    unusable reference refuses the request.

    Raises:
        ImagesRefused: one or more references could not be used.
        ImageError: no signature could be acquired from the probe.
        UnknownOperatingPoint: the model offers no such operating point.
    """
    references, refused = acquire_each(reference_uploads, encoder)
    if refused:
        raise ImagesRefused(
            f"{len(refused)} of the {len(reference_uploads)} references could not be used. "
            "Send the request again without them.",
            refused,
        )
    probe = acquire_one(probe_upload, encoder)
    signatures = describe_each([*references, probe], encoder)
    comparison, told = compare_as_it_lies(
        probe.acquisition, signatures[-1:], signatures[:-1], encoder, operating_point
    )
    named = [(None, reference.upload.filename) for reference in references]
    return Verification(
        None,
        comparison,
        compared_references(comparison, named),
        probe.acquisition,
        AnsweringModel.of(encoder),
        (*probe.acquisition.quality.warnings, *told, *_of_references(references)),
    )


def _of_references(references: Sequence[Acquired]) -> list[Caution]:
    """Say what is awkward about the references, by their files' names."""
    return [
        Caution(one.code, f"Reference {number} ({reference.upload.filename!r}): {one.message}")
        for number, reference in enumerate(references, 1)
        for one in reference.acquisition.quality.warnings
    ]
