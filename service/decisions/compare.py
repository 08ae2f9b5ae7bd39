"""Compares signatures that come with the request; nothing of them stays."""

from collections.abc import Sequence

from encoder.cautions import Caution
from encoder.imaging.preview import preview_png
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import compare_as_it_lies
from encoder.scoring.copies import Distinct
from encoder.scoring.templates import Signatures
from service.decisions.answering_model import AnsweringModel
from service.decisions.calibration_told import of_comparison
from service.decisions.replay import query_specimen, replay_among
from service.decisions.stages import Stages, unmeasured
from service.decisions.verify import (
    Verification,
    compared_references,
    counted_once,
    expected_errors,
)
from service.errors import ImagesRefused
from service.writers.copies import Specimen, copied
from service.writers.uploads import Acquired, Upload, acquire_each, acquire_one, describe_each


def compare(
    reference_uploads: Sequence[Upload],
    probe_upload: Upload,
    *,
    encoder: Encoder,
    operating_point: str | None = None,
    stage: Stages = unmeasured,
) -> Verification:
    """Compare a query signature with references given beside it; store and record nothing.

    A comparison on fewer references than were given would answer another question, so one
    unusable reference refuses the request. Copies of one signature count once; a warning says so.

    Raises:
        ImagesRefused: one or more references could not be used.
        ImageError: no signature could be acquired from the probe.
        UnknownOperatingPoint: the model offers no such operating point.
    """
    with stage("acquire"):
        references, refused = acquire_each(reference_uploads, encoder)
    if refused:
        raise ImagesRefused(
            f"{len(refused)} of the {len(reference_uploads)} references could not be used. "
            "Send the request again without them.",
            refused,
        )
    with stage("acquire"):
        probe = acquire_one(probe_upload, encoder)
    with stage("embed"):
        signatures = describe_each([*references, probe], encoder)
    with stage("compare"):
        specimens = [
            _specimen(number, reference, signatures) for number, reference in enumerate(references)
        ]
        which = _distinct(specimens)
        comparison, told = compare_as_it_lies(
            probe.acquisition, signatures[-1:], signatures[:-1], encoder, operating_point, which
        )
    copies = [
        f"{specimens[number].shown_as} is a copy of {specimens[original].shown_as}"
        for number, original in enumerate(which.copy_of)
        if original is not None
    ]
    found = (
        replay_among(query_specimen(probe, signatures[-1:]), specimens),
        counted_once(copies),
    )
    named = [(None, reference.upload.filename) for reference in references]
    return Verification(
        None,
        comparison,
        compared_references(comparison, named),
        probe.acquisition,
        AnsweringModel.of(encoder),
        (
            *probe.acquisition.quality.warnings,
            *told,
            *_of_references(references),
            *(one for one in found if one is not None),
        ),
        expected_errors(comparison, encoder),
        of_comparison(comparison, encoder),
    )


def _of_references(references: Sequence[Acquired]) -> list[Caution]:
    """Say what is awkward about the references, by their files' names."""
    return [
        Caution(one.code, f"Reference {number} ({reference.upload.filename!r}): {one.message}")
        for number, reference in enumerate(references, 1)
        for one in reference.acquisition.quality.warnings
    ]


def _specimen(number: int, reference: Acquired, signatures: Signatures) -> Specimen:
    name = reference.upload.filename
    return Specimen(
        f"{name!r} (reference {number + 1})" if name else f"reference {number + 1}",
        signatures.vectors[number],
        lambda: preview_png(reference.acquisition.ink),
        reference.sha256,
    )


def _distinct(specimens: Sequence[Specimen]) -> Distinct:
    """Which of the references count, by their ink."""
    kept: list[int] = []
    copy_of: list[int | None] = []
    for number, specimen in enumerate(specimens):
        found = copied(specimen, [specimens[one] for one in kept])
        copy_of.append(None if found is None else specimens.index(found.original))
        if found is None:
            kept.append(number)
    return Distinct(tuple(kept), tuple(copy_of))
