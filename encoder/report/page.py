"""The report of an evaluation as one self-contained HTML page; no signature is shown in it."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from encoder.report.plots import cmc_plot, curve_of, det_plot, tippett_plot
from encoder.report.tables import bits, middle_references, rate, table, tile

STYLE = Path(__file__).with_name("style.css")
PROTOCOLS = {
    "holdout": "Writers are measured on whom the model held out of its training.",
    "crossval": "Each writer is measured on with the one model that held him out of its training; "
    "scores are pooled over the models, embeddings of two models never meet.",
    "zeroshot": "The model was not trained on any writer of the data set.",
    "all writers": "All writers are measured on, also those the model was trained on: these "
    "figures flatter it.",
}
REFERENCE_STYLES = {"1": "s4", "3": "s3", "5": "s1", "10": "s2"}
CONTROL_WORDS = {
    "background": "the paper around the ink, in grey",
    "grey ink": "grey levels of the ink",
    "binarised canvas": "the canvas as the network sees it",
    "strokes of one width": "the canvas, strokes thinned and drawn in one width",
}


def html_report(answer: Mapping[str, Any]) -> str:
    """The page of what `countersign evaluate --json` printed."""
    sections = "".join(_section(one) for one in answer["sets"])
    how = (
        f"{PROTOCOLS[answer['protocol']]} References are drawn {answer['draws']} times "
        "for each writer; one threshold holds for all. Rates are in percent; the ranges are 95% "
        f"intervals from {answer['replicates']} bootstrap samples of writers."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Countersign: error rates</title><style>{STYLE.read_text(encoding='utf-8')}</style>"
        f"</head><body><h1>Error rates, protocol {escape(answer['protocol'])}</h1>"
        f'<p class="soft">{escape(how)}</p>{_summary(answer)}{sections}</body></html>\n'
    )


def _summary(answer: Mapping[str, Any]) -> str:
    rows = []
    for one in answer["sets"]:
        parts = {"": one, **one.get("baselines", {})}
        for name, part in parts.items():
            label = escape(one["folder"]) + (
                f" <small>baseline {escape(name)}</small>" * bool(name)
            )
            by_count = part["results"]
            middle = by_count.get(middle_references(by_count) or "", {})
            rows.append(
                [label, str(one["writers"])]
                + [rate(by_count.get(count, {}), "eer_skilled") for count in ("1", "5", "10")]
                + [rate(middle, name) for name in ("eer_random", "fnmr_at_fmr_1%_skilled")]
            )
    columns = (
        *("data set", "writers", "skilled EER, 1 reference", "5 references", "10 references"),
        *("random EER, 5 references", "FNMR at FMR 1% skilled, 5 references"),
    )
    return table(columns, rows)


def _section(one: Mapping[str, Any]) -> str:
    models = ", ".join(
        f"{escape(m['name'])} <code>{escape(m['id'][:12])}</code> ({m['writers']} writers)"
        for m in one["models"]
    )
    about = (
        f"{one['writers']} writers; {one['failures_to_acquire']} images without a usable "
        f"signature. Models: {models}"
    )
    parts = (
        *_headline(one),
        *_rates(one),
        *_figures(one),
        *_shipped(one),
        *_identification(one),
        *_perturbations(one.get("perturbations")),
        *_controls(one.get("controls")),
        *_slices(one.get("slices", {})),
    )
    return f'<h2>{escape(one["folder"])}</h2><p class="soft">{about}</p>{"".join(parts)}'


def _headline(one: Mapping[str, Any]) -> Iterator[str]:
    middle = middle_references(one["results"])
    if middle is None:
        return
    row = one["results"][middle]
    tiles = (
        ("skilled forgeries, equal error", "eer_skilled"),
        ("others' signatures, equal error", "eer_random"),
        ("genuine refused where 1% of forgeries pass", "fnmr_at_fmr_1%_skilled"),
        ("writer found first", "rank_1"),
    )
    yield f'<p>With {middle} references:</p><div class="tiles">'
    yield "".join(tile(words, row, name) for words, name in tiles) + "</div>"


def _rates(one: Mapping[str, Any]) -> Iterator[str]:
    yield "<h3>By number of references</h3>"
    names = (
        *("eer_skilled", "fnmr_at_fmr_1%_skilled", "fnmr_at_fmr_0.1%_skilled"),
        *("eer_random", "fnmr_at_fmr_1%_random", "fnmr_at_fmr_0.1%_random"),
    )
    costs = ("cllr_skilled", "cllr_min_skilled", "cllr_random", "cllr_min_random")
    rows = []
    for title, part in (("", one), *one.get("baselines", {}).items()):
        for references, row in part["results"].items():
            label = f"{references}{f' <small>baseline {escape(title)}</small>' if title else ''}"
            rows.append(
                [
                    label,
                    *(rate(row, name) for name in names),
                    *(bits(row, name) for name in costs),
                ]
            )
    columns = (
        *("references", "skilled: EER", "FNMR at FMR 1%", "at FMR 0.1%"),
        *("random: EER", "FNMR at FMR 1%", "at FMR 0.1%"),
        *("skilled: Cllr, bits", "least Cllr", "random: Cllr, bits", "least Cllr"),
    )
    yield table(columns, rows)


def _figures(one: Mapping[str, Any]) -> Iterator[str]:
    middle = middle_references(one["results"])
    if middle is None:
        return
    det = [
        (f"skilled, {_references(count)}", REFERENCE_STYLES[count], points)
        for count in one["results"]
        if count != "3" and (points := curve_of(one, count, "det_skilled"))
    ]
    if points := curve_of(one, middle, "det_random"):
        det.append((f"random, {_references(middle)}", "s3", points))
    for name, part in one.get("baselines", {}).items():
        if points := curve_of(part, middle, "det_skilled"):
            det.append((f"{name}, skilled, {_references(middle)}", "s5", points))
    cmc = [
        (_references(count), REFERENCE_STYLES[count], row["cmc"])
        for count, row in one["results"].items()
        if "cmc" in row
    ]
    yield '<div class="figures">'
    yield det_plot(det)
    if tippett := curve_of(one, middle, "tippett"):
        yield tippett_plot(tippett)
    if cmc:
        yield cmc_plot(cmc)
    yield "</div>"


def _shipped(one: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [f"{escape(point)} <small>{_references(references)}</small>"]
        + [rate(row, n) for n in ("fmr_skilled", "fmr_random", "fnmr", "refused_genuine")]
        for references, result in one["results"].items()
        for point, row in result.get("shipped", {}).items()
    ]
    if rows:
        yield "<h3>At the thresholds that the model ships with</h3>"
        yield (
            "<p>What an operating point promises was fixed on development writers; this is what "
            "it kept. Genuine signatures that do not match are inconclusive unless refused.</p>"
        )
        columns = ("operating point", "skilled forgeries that match", "others' signatures")
        yield table((*columns, "genuine that do not match", "genuine refused"), rows)


def _identification(one: Mapping[str, Any]) -> Iterator[str]:
    names = ("rank_1", "fpir", "fnir", "fnir_at_fpir_1%", "fnir_at_fpir_5%")
    rows = [
        [references, " or ".join(map(str, row["gallery_sizes"]))]
        + [rate(row, name) for name in names]
        for references, row in one["results"].items()
        if row.get("gallery_sizes")
    ]
    if rows:
        yield "<h3>Identification</h3>"
        yield (
            "<p>Each genuine signature is searched for with its writer in the gallery and without. "
            "FPIR: someone is named who did not sign. FNIR: the writer is not named first.</p>"
        )
        columns = ("references", "writers in the gallery", "rank 1", "FPIR as shipped")
        yield table((*columns, "FNIR as shipped", "FNIR at FPIR 1%", "FNIR at FPIR 5%"), rows)


def _perturbations(part: Mapping[str, Any] | None) -> Iterator[str]:
    if not part:
        return
    yield "<h3>Perturbed query signatures</h3>"
    yield (
        f"<p>{part['probes']} query signatures, changed before any cleaning, against "
        f"{part['references']} references as they were scanned.</p>"
    )
    rows = []
    for name, row in part["rows"].items():
        point, shipped = next(iter(row.get("shipped", {}).items()), ("", {}))
        rows.append(
            [
                escape(name),
                *(rate(row, key) for key in ("eer_skilled", "eer_random")),
                *(rate(shipped, key) for key in ("fnmr", "fmr_skilled")),
                str(row["failures_to_acquire"]),
            ]
        )
    columns = ("change", "skilled EER", "random EER", f"FNMR at {point}", "FMR skilled there")
    yield table((*columns, "failures to acquire"), rows)


def _controls(part: Mapping[str, Any] | None) -> Iterator[str]:
    if not part:
        return
    yield "<h3>What gives forgeries away without a reference</h3>"
    yield (
        "<p>A classifier that never sees a reference tries to tell genuine from forged, on writers "
        "it was not fitted on. At an AUC of 0.5 there is nothing to find. The network sees neither "
        "paper nor grey levels; what the canvas still gives away, it may have learned. Where the "
        "skilled error rises much once all strokes have one width, part of it rested on the pen, "
        "or the network misses what it was trained to see.</p>"
    )
    rows = [
        [CONTROL_WORDS[view], f"{auc:.2f}", rate(part["eer_skilled"], view)]
        for view, auc in part["auc"].items()
    ]
    yield table(("what is seen", "AUC", f"skilled EER, {part['references']} references"), rows)


def _slices(part: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [f"{escape(what)}: {escape(name)}", str(row["writers"]), f"{row['mean']:.0f}"]
        + [rate(row, key) for key in ("eer_skilled", "eer_random")]
        for what, slices in part.items()
        if what != "references"
        for name, row in slices.items()
    ]
    if rows:
        yield f"<h3>Thirds of the writers, {_references(str(part['references']))}</h3>"
        yield (
            "<p>Length: of the thinned strokes on the canvas, px. Complexity: how often thinned "
            "strokes end or meet.</p>"
        )
        yield table(("third", "writers", "mean", "skilled EER", "random EER"), rows)


def _references(count: str) -> str:
    return f"{count} reference{'' if count == '1' else 's'}"
