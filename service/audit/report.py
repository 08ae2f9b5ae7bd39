"""A decision's report for people: what was decided, from what, and how it is proved."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from index.registry.audit.stored import StoredDecision
from service.decisions.contributions import MEANINGS

VERDICTS = {
    "match": "match: the signature is like the writer's references",
    "inconclusive": "inconclusive: software cannot tell; a person has to look at it",
    "non_match": "no match: the signature is not like the writer's references",
    "identified": "identified: whom the signature resembles, not that it is authentic",
    "not_enrolled": "not enrolled: the signature is like nobody's who is enrolled",
}
FONT, BOLD = "Vera", "VeraBd"  # They come with reportlab, and are embedded.
PICTURE_WIDTH_PT, PICTURE_HEIGHT_PT = 80 * mm, 35 * mm
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{width:16rem;font-weight:600}"
    "img{max-width:22rem;max-height:10rem;background:#fff;border:1px solid #ccc}"
    "figure{display:inline-block;margin:.5rem 1rem .5rem 0}"
)


@dataclass(frozen=True)
class Picture:
    """A PNG of a signature, as the software saw it."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """A heading with rows of what and how much, and pictures below them."""

    heading: str
    rows: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = field(default=())


def sections(stored: StoredDecision, pictures: Sequence[Picture]) -> list[Section]:
    """What there is to say of a decision, in the order in which a person asks."""
    details = stored.details or {}
    found = [
        Section("Decision", _decision(stored)),
        Section("Figures", _figures(stored, details)),
        Section("References", _references(details)),
        Section("Candidates", _candidates(details)),
        Section("What the score is made of", _contributions(details)),
        Section("Warnings", [(one["code"], one["message"]) for one in details.get("warnings", ())]),
        Section("Signatures, as the software saw them", (), pictures),
        Section("Reviews", _reviews(stored)),
        Section("Hold", _hold(stored)),
        Section("By what it was decided", _by_what(stored, details)),
        Section("Proof", _proof(stored)),
    ]
    return [one for one in found if one.rows or one.pictures]


def as_html(title: str, parts: Iterable[Section]) -> str:
    """Draw a report as one HTML page that loads nothing."""
    body = "".join(_html_section(one) for one in parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )


def as_pdf(title: str, parts: Iterable[Section]) -> bytes:
    """Draw a report as PDF, on A4."""
    _register_fonts()
    plain = ParagraphStyle("plain", fontName=FONT, fontSize=8, leading=11, alignment=TA_LEFT)
    strong = ParagraphStyle("strong", parent=plain, fontName=BOLD)
    heading = ParagraphStyle("heading", parent=strong, fontSize=11, leading=16, spaceBefore=8)
    story: list[Any] = [Paragraph(html.escape(title), heading)]
    for part in parts:
        story.append(Paragraph(html.escape(part.heading), heading))
        if part.rows:
            cells = [[_cell(what, strong), _cell(value, plain)] for what, value in part.rows]
            story.append(Table(cells, colWidths=[50 * mm, 120 * mm], style=_LINES, splitInRow=1))
        for picture in part.pictures:
            story += [Spacer(1, 6), _pdf_image(picture.png), _cell(picture.caption, plain)]
    stream = BytesIO()
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 18 * mm)
    document = SimpleDocTemplate(stream, pagesize=A4, title=title, **margins)
    document.build(story)
    return stream.getvalue()


_LINES = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ]
)


def _decision(stored: StoredDecision) -> list[tuple[str, str]]:
    about = {
        "Question": "Is it this writer's?" if stored.kind == "verify" else "Whose is it?",
        "Answer": VERDICTS.get(stored.verdict, stored.verdict),
        "Writer": stored.writer_id or ("erased" if stored.state == "erased" else "nobody"),
        "Decided at (UTC)": stored.created_at.isoformat(sep=" ", timespec="seconds"),
        "Asked by": stored.caller,
        "Decision": stored.decision_id,
        "What is kept": stored.state,
    }
    return list(about.items())


def _figures(stored: StoredDecision, details: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {
        "Score": stored.score,
        "Match from": stored.threshold,
        "No match below": stored.non_match_threshold,
        "Likelihood ratio (log10), against a skilled forgery": stored.log_lr,
        "At most, either way": details.get("log_lr_bound"),
        "Against another's own signature": details.get("log_lr_random"),
        "Operating point": stored.operating_point,
        "Writers compared with": details.get("gallery_size"),
    }
    return [(what, _number(value)) for what, value in shown.items() if value is not None]


def _references(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"Reference {one['reference_id']}", _reference(one))
        for one in details.get("references", ())
    ]


def _reference(one: Mapping[str, Any]) -> str:
    copy = ", a copy: not counted" if one["copy"] else ""
    return (
        f"similarity {_number(one['similarity'])}, of the pieces "
        f"{_number(one['local_similarity'])}{copy}; SHA-256 {one['sha256']}"
    )


def _candidates(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            str(one["writer_id"]),
            (
                f"score {_number(one['score'])}, likeness {_number(one['likeness'])}, on "
                f"{len(one['references'])} references"
            ),
        )
        for one in details.get("candidates", ())
    ]


def _contributions(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    points = sorted(details.get("contributions", {}).items(), key=lambda pair: pair[1])
    return [(f"{part}: {value:+.3f}", MEANINGS.get(part, part)) for part, value in points]


def _reviews(stored: StoredDecision) -> list[tuple[str, str]]:
    return [
        (
            f"{one.reviewer}, {one.created_at.isoformat(sep=' ', timespec='minutes')}",
            ". ".join(part for part in (one.outcome, one.reason, one.comment) if part),
        )
        for one in stored.reviews
    ]


def _hold(stored: StoredDecision) -> list[tuple[str, str]]:
    if stored.hold is None:
        return []
    until = stored.hold.held_until.isoformat(timespec="seconds")
    return [(f"Until {until}", f"{stored.hold.reason}, by {stored.hold.held_by}")]


def _by_what(stored: StoredDecision, details: Mapping[str, Any]) -> list[tuple[str, str]]:
    model = details.get("model", {})
    quality = details.get("quality", {})
    shown = {
        "Model": f"{model.get('name', '')} {stored.model_id}".strip(),
        "Rule": model.get("rule"),
        "Gallery's own calibration": details.get("gallery_calibrated"),
        "Software": details.get("software"),
        "Request": details.get("request_id"),
        "Query image, SHA-256": stored.probe_sha256,
        "Part of the image": details.get("region"),
        "Ink": f"{quality['ink_width_px']} x {quality['ink_height_px']} px" if quality else None,
        "Contrast, grey levels": quality.get("contrast"),
    }
    return [(what, str(value)) for what, value in shown.items() if value is not None]


def _proof(stored: StoredDecision) -> list[tuple[str, str]]:
    entry = "none: it is from before the chain" if stored.entry is None else str(stored.entry)
    return [
        ("Hash of the decision", stored.sha256),
        ("Entry on the audit chain", entry),
        ("To verify", "README.txt in this archive says how."),
    ]


def _html_section(part: Section) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(what)}</th><td>{html.escape(value)}</td></tr>"
        for what, value in part.rows
    )
    figures = "".join(
        f'<figure><img alt="" src="data:image/png;base64,{base64.b64encode(one.png).decode()}">'
        f"<figcaption>{html.escape(one.caption)}</figcaption></figure>"
        for one in part.pictures
    )
    table = f"<table>{rows}</table>" if rows else ""
    return f"<h2>{html.escape(part.heading)}</h2>{table}{figures}"


def _cell(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(html.escape(text), style)


def _pdf_image(png: bytes) -> Image:
    width, height = ImageReader(BytesIO(png)).getSize()
    scale = min(PICTURE_WIDTH_PT / width, PICTURE_HEIGHT_PT / height)
    return Image(BytesIO(png), width * scale, height * scale, hAlign="LEFT")


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _register_fonts() -> None:
    for name in (FONT, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
