"""What answers say of an image: its quality, warnings, why it was refused, and pictures of it."""

import base64
from typing import Any

from apiflask import Schema
from apiflask.fields import Float, Integer, List, Nested, String

from encoder.imaging.acquire import Acquisition
from encoder.imaging.preview import marks_png, preview_png
from service.api.description.schemas import SOMETIMES
from service.api.requests import CLEANED, LEFT_OUT, about

Json = dict[str, Any]

_DATA_URL = "data:image/png;base64,iVBORw0KGgo="
CLEANED_IMAGE = SOMETIMES | about(
    "The cleaned signature as a data URL of a PNG, if `include=cleaned` asked for it.", _DATA_URL
)
LEFT_OUT_IMAGE = SOMETIMES | about(
    "All ink of the page as a data URL of a PNG, if `include=left-out` asked for it: what was "
    "taken as the signature in black; print, lines and stamps that were left out in brown. Null "
    "where nothing was left out.",
    _DATA_URL,
)
BOXES = "Where in the image what was found, if it shows more than one signature."


class Warned(Schema):
    """What makes an answer less sure."""

    code = String(metadata=about("A stable word for it.", "faint"))
    message = String(
        metadata=about("What was found, and what to do.", "The ink is faint. Scan it darker.")
    )


class ImageRegion(Schema):
    """A part of an upright image, in its pixels."""

    x = Integer(metadata=about("Column of its left side.", 40))
    y = Integer(metadata=about("Row of its upper side.", 120))
    w = Integer(metadata=about("Its width.", 600))
    h = Integer(metadata=about("Its height.", 200))


class Quality(Schema):
    """What was measured on the image."""

    ink_height_px = Integer(metadata=about("Height of the ink in the scan, in pixels.", 212))
    ink_width_px = Integer(metadata=about("Width of the ink in the scan, in pixels.", 540))
    ink_fraction = Float(metadata=about("Share of the ink's box that is ink.", 0.09))
    contrast = Float(metadata=about("Grey levels between paper and ink, 0 to 255.", 148.0))
    # Not measured on images that an earlier version enrolled, and nor was the region noted.
    complexity = Float(
        metadata=about("By how many full turns the ink's outline winds; an X's winds 3 times.", 21)
        | SOMETIMES
    )
    warnings = List(Nested(Warned), metadata=about("What makes answers about it less sure.", []))
    region = Nested(
        ImageRegion, metadata=about("The part of the image that was looked at.") | SOMETIMES
    )


class FoundBox(Schema):
    """A part of an image, and what it shows; as `x,y,w,h` it may be a form's `region`."""

    x = Integer(metadata=about("Column of its left side, in pixels of the upright image.", 40))
    y = Integer(metadata=about("Row of its upper side.", 120))
    w = Integer(metadata=about("Its width.", 600))
    h = Integer(metadata=about("Its height.", 200))
    what = String(metadata=about("`signature` or `writing`.", "signature"))


class Refused(Schema):
    """An image that was not used."""

    filename = String(allow_none=True, metadata=about("Its file name as sent.", "scan2.png"))
    code = String(metadata=about("A stable word for the reason.", "no-ink"))
    reason = String(
        metadata=about(
            "What was wrong, and what to do.", "No ink was found. Scan the signature again."
        )
    )
    boxes = List(Nested(FoundBox), metadata=about(BOXES))


def data_url(png: bytes) -> str:
    """Return a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def pictures(acquisition: Acquisition, include: str | None) -> Json:
    """The pictures of a page that `include` asks for, by their fields."""
    asked = (include or "").split(",")
    pictures: Json = {}
    if CLEANED in asked:
        pictures["cleaned"] = data_url(preview_png(acquisition.ink))
    if LEFT_OUT in asked:
        found = acquisition.cleaned.found
        some = found.gone.any()
        pictures["left_out"] = data_url(marks_png(found.kept, found.gone)) if some else None
    return pictures
