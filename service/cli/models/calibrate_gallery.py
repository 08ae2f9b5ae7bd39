"""`countersign calibrate --gallery`: thresholds from the installation's own references."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli.output import note, print_json, progress_bar, show, table
from service.cli.session import caller, open_registry, open_services

if TYPE_CHECKING:
    from encoder.scoring.calibrations import Familiarity
    from index.registry.gallery_calibrations import NewCalibration


def calibrate_gallery(*, dry_run: bool, as_json: bool) -> None:
    """Work out what the gallery tells, show what changes, and put it to use unless it is dry."""
    from service.models.calibrated import AFTER, BEFORE, PROBED, PROFILE, own_rule, wary
    from service.models.gallery_calibration import put_to_use, work_out

    with open_services() as services:
        point = services.encoder.rule.default_operating_point
        encoder, told = services.encoder, services.told
        former = encoder.rule.rule_id
        new = _followed(work_out(services, caller()))
        profile = new.parameters[PROFILE]
        changes = new.rule_id != former or told is None or told.parameters.get(PROFILE) != profile
        faced = wary(own_rule(encoder), encoder.manifest, profile)
        number = None
        if changes and not dry_run:
            number = services.registry.calibrations.add(new).calibration_id
            put_to_use(services, number, caller())
    before, after = new.parameters[BEFORE], new.parameters[AFTER]
    if as_json:
        counts = {"writers": new.writer_count, "references": new.reference_count}
        rules = {"calibration_id": number, "rule_before": former, "rule": new.rule_id}
        probes = {"probes": new.parameters[PROBED]}
        known = {"familiarity": None if faced.familiarity is None else asdict(faced.familiarity)}
        print_json({**rules, **counts, **probes, **known, "before": before, "after": after})
        return
    show(
        f"{new.writer_count} writers, {new.reference_count} references; "
        f"{new.parameters[PROBED]} of them held out in turn.",
        table(("value", "#was", "#is"), _rows(before, after, point)),
        "In brackets: 95 % intervals. How many forgeries match is in no gallery, so the scores "
        "from which signatures match stay.",
        *_told(faced.familiarity),
    )
    if not changes:
        show("The gallery is decided by so already.")
    elif dry_run:
        note("Nothing was changed. Leave out --dry-run to put it to use.")
    else:
        show("All servers decide by this now; `countersign calibrate --gallery --undo` goes back.")


def undo_gallery(*, as_json: bool) -> None:
    """Go back to what decided before the last calibration by the gallery."""
    with open_registry() as (_, registry, encoder):
        back = registry.calibrations.undo(encoder.model_id, caller())
    if as_json:
        print_json({"calibration_id": None if back is None else back.calibration_id})
    elif back is None:
        show("The model's own rule decides again, as if no gallery had been asked.")
    else:
        show(
            f"The calibration of {back.created_at:%Y-%m-%d %H:%M} UTC decides again, from "
            f"{back.writer_count} writers and {back.reference_count} references."
        )


def _followed(steps: Generator[tuple[int, int], None, NewCalibration]) -> NewCalibration:
    with progress_bar(rate=True) as bar:
        task = bar.add_task("Comparing", total=None)
        while True:
            try:
                done, total = next(steps)
            except StopIteration as ended:
                new: NewCalibration = ended.value
                return new
            bar.update(task, completed=done, total=total)


def _told(found: Familiarity | None) -> Iterator[str]:
    """Say how like the gallery is to what the model was calibrated on."""
    if found is None:
        return
    far = (
        f"{found.distance:.2f} standard deviations of writers from the nearest data set, "
        f"{found.nearest}; these lie up to {found.limit:.2f} apart"
    )
    if found.unlike:
        yield (
            f"The gallery is unlike anything that the model was calibrated on: {far}. More is left "
            "inconclusive for it, and no error rates are stated, until thresholds are fitted on "
            "forgeries of your own (countersign calibrate FOLDER)."
        )
    else:
        yield f"The gallery is like what the model was calibrated on: {far}."


def _rows(
    before: Mapping[str, Any], after: Mapping[str, Any], point: str
) -> Iterator[tuple[str, ...]]:
    was, now = before["naming"], after["naming"]
    yield "named from the score", f"{was['threshold']:.3f}", f"{now['threshold']:.3f}"
    yield "strangers named (FPIR)", _rate(was["fpir"]), _rate(now["fpir"])
    yield "enrolled, not named (FNIR)", _rate(was["fnir"]), _rate(now["fnir"])
    for was, now in zip(before["claiming"], after["claiming"], strict=True):
        if now["operating_point"] != point:
            continue
        count = now["references"]
        each = f"{count} reference{'' if count == 1 else 's'}"
        yield f"no match below, {each}", f"{was['non_match']:.3f}", f"{now['non_match']:.3f}"
        refused = _rate(was["refused_genuine"]), _rate(now["refused_genuine"])
        yield f"genuine called no match, {each}", *refused
        yield f"genuine that do not match (FNMR), {each}", _rate(was["fnmr"]), _rate(now["fnmr"])


def _rate(rate: Mapping[str, float | None]) -> str:
    value, low, high = rate["value"], rate["low"], rate["high"]
    shown = f"{100 * (value or 0):.1f} %"
    return shown if low is None or high is None else f"{shown} [{100 * low:.1f}, {100 * high:.1f}]"
