"""Puts answers into words for people who are no specialists: what, how sure, compared with what."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.panel import Panel

from service.cli.output import table
from service.client.answers import ExpectedErrors, Identification, Verification, Warned
from service.decisions.calibration_told import UNLIKE

TELLING_RATIO = 1.5  # Below it, one explanation is about as likely as the other.
ROUNDED_FROM = 10  # From this ratio on, two digits are told.
VERDICTS = {
    "match": ("Match", "green", "The signature fits {claimed}."),
    "inconclusive": (
        "Inconclusive",
        "yellow",
        "The signature neither fits {claimed} nor clearly differs. Have a person look at it.",
    ),
    "non_match": ("No match", "red", "The signature does not fit {claimed}."),
}


def verification_parts(answer: Verification, claimed: str) -> Iterator[RenderableType]:
    """Draw the answer of verify or compare; `claimed` says whose signature it should be."""
    title, colour, sentence = VERDICTS[answer.verdict]
    count = len(answer.references)
    lines = [
        sentence.format(claimed=claimed),
        f"Score {answer.score:.3f}; {_thresholds(answer)} ({answer.operating_point}).",
        f"Compared with {count} reference{'s' if count != 1 else ''}.",
        strength(answer.log_lr, answer.log_lr_bound, "a skilled forger"),
        strength(answer.log_lr_random, answer.log_lr_random_bound, "another writer"),
        *_calibration(answer.calibration),
        *_expected(answer.expected_errors),
        *_warnings(answer.warnings),
    ]
    yield Panel("\n".join(lines), title=title, title_align="left", border_style=colour)
    yield _similarities(answer)
    yield _origin(answer)


def identification_parts(answer: Identification) -> Iterator[RenderableType]:
    """Draw the answer of identify."""
    compared = f"Compared with {answer.gallery_size} writers."
    if answer.verdict == "identified":
        best = answer.candidates[0]
        name = f" ({best.name})" if best.name else ""
        title, colour = "Identified", "green"
        sentence = (
            f"The signature resembles {best.writer_id}{name} most: score {best.score:.3f}, "
            f"threshold {answer.threshold:.3f}. A good forgery does so too; verify before you "
            "rely on it."
        )
    else:
        title, colour = "Not enrolled", "yellow"
        sentence = (
            "The signature resembles nobody enough"
            f"{_nearest(answer)}. The writer is probably not enrolled."
        )
    lines = [sentence, compared, *_calibration(answer.calibration), *_warnings(answer.warnings)]
    yield Panel("\n".join(lines), title=title, title_align="left", border_style=colour)
    if answer.candidates:
        rows = [(one.writer_id, one.name, f"{one.score:.3f}") for one in answer.candidates]
        yield table(("candidate", "name", "#score"), rows)
    yield _origin(answer)


def strength(log_lr: float, bound: float, other: str) -> str:
    """Say a log10 likelihood ratio as how much likelier one explanation makes the score.

    At its bound it is at least so much: the signatures calibrated on can support no more.
    """
    ratio = 10 ** abs(log_lr)
    if ratio < TELLING_RATIO:
        return f"Such a score is about as likely from the writer as from {other}."
    times = f"{ratio:.1f}" if ratio < ROUNDED_FROM else f"{float(f'{ratio:.2g}'):,.0f}"
    likelier, than = ("the writer", other)[:: 1 if log_lr > 0 else -1]
    about = "at least" if abs(log_lr) >= bound else "about"
    return f"Such a score is {about} {times} times likelier from {likelier} than from {than}."


def _nearest(answer: Identification) -> str:
    if not answer.candidates:
        return ""
    best = answer.candidates[0]
    return (
        f": the best score is {best.score:.3f}, for {best.writer_id}, and {answer.threshold:.3f} "
        "is needed"
    )


def _thresholds(found: Verification) -> str:
    return (
        f"the threshold of a match is {found.threshold:.3f}, and below "
        f"{found.non_match_threshold:.3f} it is none"
    )


def _similarities(answer: Verification) -> RenderableType:
    """Each reference and how alike it is: on the whole and, from most models, piece by piece."""
    headings, rows = ["reference", "#similarity"], []
    if any(one.local_similarity is not None for one in answer.references):
        headings.append("#strokes")
    for one in answer.references:
        alike = [x for x in (one.similarity, one.local_similarity) if x is not None]
        name = f"{one.filename or one.reference_id}{' (copy)' if one.copy else ''}"
        rows.append((name, *(f"{x:.3f}" for x in alike)))
    drawn: RenderableType = table(headings, rows)
    return drawn


def _expected(errors: ExpectedErrors | None) -> Iterator[str]:
    """Say how often such verdicts err, where that was measured."""
    if errors is None:
        return
    shares = (
        (errors.fmr_skilled, "of practised imitations matched"),
        (errors.fnmr, "of genuine signatures did not"),
    )
    said = ", ".join(
        f"{100 * share.mean:.1f} % (at worst {100 * share.worst:.1f}) {what}"
        for share, what in shares
    )
    yield f"Measured on {errors.data_sets} kinds of signatures unknown to the rule: {said}."


def _calibration(told: str | None) -> Iterator[str]:
    """Say where the thresholds were measured on nothing like this gallery."""
    if told == UNLIKE:
        yield (
            "The enrolled signatures are unlike anything that the thresholds were measured on: how "
            "often such answers err is not known."
        )


def _warnings(warnings: Sequence[Warned]) -> list[str]:
    return [f"Note: {warning.message}" for warning in warnings]


def _origin(answer: Verification | Identification) -> str:
    made = f"Decision {answer.decision_id}," if answer.decision_id else "Not recorded;"
    model = answer.model
    return f"{made} model {model.name} ({model.id[:12]}), rule {model.rule}"
