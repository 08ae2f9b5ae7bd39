"""Decides anew what was decided before: the same image, references, model and rule, if all is kept.

Equal numbers show that nothing was put in by hand. Where something is gone, the answer says what,
and compares nothing: a decision on other references would be another decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from encoder.cautions import Caution
from encoder.errors import ArtifactError, ImageError, UnknownOperatingPoint, UnusableRule
from encoder.imaging.region import Region
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import compare_as_it_lies, describe_posed, penalised
from encoder.inference.simple_marks import simple_marks
from encoder.inference.turning import Pose
from encoder.scoring.decision_rule import DecisionRule
from index.errors import QueryNotKept
from index.registry.audit.chain import AuditEvent
from index.registry.audit.stored import StoredDecision
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from service.decisions.cautious_verdict import cautious_verdict, clears_nobody
from service.decisions.verify import FIGURES, compared_references, warnings_of
from service.models.active_model import open_encoder
from service.models.live_services import Services
from service.writers.template_codec import signatures_of
from service.writers.uploads import Acquired, Upload, acquire_one, describe_each

Outcome = Literal["equal", "different", "impossible"]
# Numbers of another machine's arithmetic may differ in the last places.
TOLERANCE = 1e-5
# It hangs on what was decided before and since, so that it says nothing of this decision.
OF_HISTORY = frozenset({"seen-before"})


@dataclass(frozen=True)
class Difference:
    """Something that came out otherwise than it was recorded."""

    what: str
    recorded: Any
    now: Any


@dataclass(frozen=True)
class Replay:
    """A decision decided anew; `reasons` say why that could not be done, or not all of it."""

    decision_id: str
    outcome: Outcome
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()


class _CannotReplayError(Exception):
    """Something that the decision rests on is not there any more; the texts say what."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


@dataclass
class _Compared:
    """What was recorded beside what came out now."""

    differences: list[Difference] = field(default_factory=list)

    def compare(self, what: str, recorded: Any, now: Any) -> None:
        """Note a difference; numbers may differ in the last places."""
        if isinstance(recorded, int | float) and isinstance(now, int | float):
            same = abs(recorded - now) <= TOLERANCE
        else:
            same = recorded == now
        if not same:
            self.differences.append(Difference(what, recorded, now))


def replay(decision_id: str, *, services: Services, caller: str) -> Replay:
    """Decide anew what was decided, and put on the audit chain that it was done.

    A model that is not active any more is read from the files that the registry keeps.

    Raises:
        UnknownDecision: there is none of this id.
    """
    registry = services.registry
    stored = registry.decisions.get(decision_id)
    try:
        differences = _decide_anew(stored, services)
    except _CannotReplayError as cannot:
        done = Replay(decision_id, "impossible", reasons=cannot.reasons)
    else:
        outcome: Outcome = "different" if differences else "equal"
        done = Replay(decision_id, outcome, tuple(differences))
    details = {"decision": decision_id}
    registry.audit.append(AuditEvent("decision.replayed", caller, done.outcome, details=details))
    return done


def _decide_anew(stored: StoredDecision, services: Services) -> list[Difference]:
    if stored.state == "erased":
        raise _CannotReplayError("The writer was erased, and with them what the decision rests on.")
    if stored.details is None:
        raise _CannotReplayError("The decision is older than the keeping of what it rests on.")
    acquired, encoder = _query(stored, stored.details, services)
    if stored.kind == "verify":
        return _verify_anew(stored, stored.details, acquired, encoder, services.registry)
    return _identify_anew(stored, stored.details, acquired, encoder, services.registry)


def _query(
    stored: StoredDecision, details: Mapping[str, Any], services: Services
) -> tuple[Acquired, Encoder]:
    """The query signature by the model that decided, with its rule; or all that is in the way."""
    reasons: list[str] = []
    image = encoder = None
    try:
        image = services.registry.decisions.kept_image(stored.decision_id)
    except QueryNotKept as error:
        reasons.append(str(error))
    try:
        encoder = _model(stored, services)
    except (ArtifactError, UnusableRule) as error:
        reasons.append(f"The model {stored.model_id[:12]} that decided cannot be used: {error}")
    if image is None or encoder is None:
        raise _CannotReplayError(*reasons)
    region = details["region"]
    upload = Upload(None, image.data, None if region is None else Region(**region))
    try:
        return acquire_one(upload, encoder), encoder
    except ImageError as error:
        raise _CannotReplayError(f"This version reads the image otherwise: {error}") from error


def _model(stored: StoredDecision, services: Services) -> Encoder:
    encoder = services.encoder
    if encoder.model_id != stored.model_id:
        encoder = open_encoder(services.settings.model, services.registry, stored.model_id)
    if stored.rule is None:
        raise UnusableRule("its rule is missing.")
    blocks = encoder.rule.scoring.blocks
    return encoder.with_rule(DecisionRule.from_canonical(stored.rule, blocks))


def _claim(
    writer_id: str | None, recorded: Sequence[Mapping[str, Any]], model_id: str, registry: Registry
) -> Claim:
    """The references that a writer was compared with, or which of them are not as they were."""
    known = registry.references.digests([one["reference_id"] for one in recorded])
    reasons = [
        f"Reference {one['reference_id']} was erased since."
        for one in recorded
        if one["reference_id"] not in known
    ] + [
        f"Reference {one['reference_id']} is another image now."
        for one in recorded
        if known.get(one["reference_id"], one["sha256"]) != one["sha256"]
    ]
    name = str(writer_id)
    claim = registry.embeddings.claims([name], model_id, with_pieces=True).get(name)
    wanted = [one["reference_id"] for one in recorded]
    if claim is None or not np.isin(wanted, claim.reference_ids).all():
        reasons = reasons or [f"The model {model_id[:12]} has no embeddings of the references."]
    if reasons or claim is None:
        raise _CannotReplayError(*reasons)
    kept = np.flatnonzero(np.isin(claim.reference_ids, wanted))
    pieces = claim.pieces
    return replace(
        claim,
        reference_ids=claim.reference_ids[kept],
        vectors=claim.vectors[kept],
        pieces=None if pieces is None else tuple(pieces[one] for one in kept),
    )


def _verify_anew(
    stored: StoredDecision,
    details: Mapping[str, Any],
    acquired: Acquired,
    encoder: Encoder,
    registry: Registry,
) -> list[Difference]:
    claim = _claim(stored.writer_id, details["references"], encoder.model_id, registry)
    probe = describe_each([acquired], encoder)
    try:
        comparison, told = compare_as_it_lies(
            acquired.acquisition,
            probe,
            signatures_of(claim, encoder),
            encoder,
            stored.operating_point,
        )
    except UnknownOperatingPoint as error:
        raise _CannotReplayError(str(error)) from error
    warnings = (*told, *warnings_of(acquired, probe, claim, comparison, registry))
    found = _Compared()
    verdict = cautious_verdict(comparison.verdict, warnings)
    found.compare("verdict", stored.verdict, verdict)
    for name in FIGURES:
        found.compare(name, details[name], getattr(comparison, name))
    named = [(number, None) for number in claim.reference_ids.tolist()]
    now = {one.reference_id: one for one in compared_references(comparison, named)}
    for one in details["references"]:
        number = one["reference_id"]
        for name in ("similarity", "local_similarity", "copy"):
            what = f"{name} of reference {number}"
            found.compare(what, one[name], getattr(now[number], name))
    _compare_warnings(found, details, warnings)
    return found.differences


def _identify_anew(
    stored: StoredDecision,
    details: Mapping[str, Any],
    acquired: Acquired,
    encoder: Encoder,
    registry: Registry,
) -> list[Difference]:
    """Score the candidates anew; who else was near is not searched for: the gallery has changed."""
    degrees = details["straightened_degrees"]
    if degrees:
        probe = describe_posed(acquired.acquisition, [Pose(degrees)], encoder)
    else:
        probe = describe_each([acquired], encoder)
    claims = [
        (one, _claim(one["writer_id"], one["references"], encoder.model_id, registry))
        for one in details["candidates"]
    ]
    found = _Compared()
    scores, counts = [], []
    for one, claim in claims:
        scored = encoder.rule.claim(probe, signatures_of(claim, encoder))
        scores.append(penalised(scored.score, degrees))
        counts.append(scored.references)
        found.compare(f"score of {one['writer_id']}", one["score"], scores[-1])
        found.compare(f"likeness of {one['writer_id']}", one["likeness"], scored.likeness)
    size = details["gallery_size"]
    threshold = encoder.rule.identification_threshold(size, counts[0] if counts else 0)
    found.compare("threshold", stored.threshold, threshold)
    # Whoever lies on the threshold to the last place is where the record says.
    reached = bool(scores) and scores[0] >= threshold
    as_it_came = describe_each([acquired], encoder)
    simple = simple_marks([acquired.acquisition], as_it_came, encoder)[0]
    cautions = (*acquired.acquisition.quality.warnings, *simple)
    named = reached and not clears_nobody(cautions)
    found.compare("verdict", stored.verdict, "identified" if named else "not_enrolled")
    return found.differences


def _compare_warnings(
    found: _Compared, details: Mapping[str, Any], warnings: Sequence[Caution]
) -> None:
    recorded = {one["code"] for one in details["warnings"]} - OF_HISTORY
    now = {one.code for one in warnings} - OF_HISTORY
    found.compare("warnings", sorted(recorded), sorted(now))
