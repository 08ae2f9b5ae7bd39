"""What comes in: the fields of every request, checked here and drawn in /openapi.json."""

from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, File, Integer, List, String
from apiflask.validators import Length, Range, Regexp
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from index.registry.identifiers import (
    MAX_NAME_LENGTH,
    WRITER_ID_EXPECTED,
    WRITER_ID_PATTERN,
    is_clean_text,
    is_writer_id,
)
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES
from service.errors import InvalidInput
from service.writers.regions import region_of

CLEANED, LEFT_OUT = "cleaned", "left-out"  # What `include` may ask for.
MAX_IMAGES = 20
MAX_PAGE = 200
MAX_ID = 2**63 - 1  # The registry's ids are 64-bit.
# What `check_text` asks for, in the words of /openapi.json.
CLEAN = {"pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$"}
# What is said of text that is none, whatever the field.
TEXT_MESSAGES = {
    "invalid": "expected text; something else came.",
    "null": "expected text; null came. Leave the field out instead.",
}


def check_writer_id(text: str) -> None:
    """Refuse what has not the form of a writer's id.

    Raises:
        ValidationError: saying what was expected and what came.
    """
    if not is_writer_id(text):
        raise ValidationError(f"{WRITER_ID_EXPECTED}; {text[:80]!r} came.")


def check_text(text: str) -> None:
    """Refuse control characters and lone surrogates.

    Raises:
        ValidationError: saying what was expected.
    """
    if not is_clean_text(text):
        raise ValidationError("expected text without control characters; some came.")


def about(description: str, example: object = None) -> dict[str, Any]:
    """Return a field's metadata for /openapi.json."""
    return {"description": description} | ({} if example is None else {"example": example})


class Body(Schema):
    """A request's fields; a field that is not among them is refused, naming those that are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        names = ", ".join(self.fields)
        self.error_messages["unknown"] = f"not a field here; expected {names}."
        self.error_messages["type"] = f"expected a JSON object with the fields {names}."


def image_field(name: str, description: str) -> File:
    """Declare a form field with exactly one file."""
    return File(  # type: ignore[no-untyped-call]  # flask-marshmallow has no types.
        required=True,
        error_messages={
            "required": f"expected one file in the form field {name!r}; none came.",
            "invalid": f"expected a file; text came. With curl: -F {name}=@signature.png",
        },
        metadata=about(description),
    )


def images_field(name: str, description: str, *, required: bool = True) -> List[FileStorage]:
    """Declare a form field that repeats, with a file each."""
    expected = f"expected 1 to {MAX_IMAGES} files in the form field {name!r}"
    text_came = f"expected files; text came. With curl: -F {name}=@signature.png"
    return List(
        File(error_messages={"invalid": text_came}),  # type: ignore[no-untyped-call]
        required=required,
        validate=Length(1, MAX_IMAGES, error=f"{expected}; another number came."),
        error_messages={"required": f"{expected}; none came."},
        metadata=about(description),
    )


def count_field(default: int, most: int, description: str) -> Integer:
    """Declare a whole number from 1 to `most`."""
    expected = f"expected a whole number from 1 to {most}"
    return Integer(
        load_default=default,
        validate=Range(1, most, error=f"{expected}; {{input}} came."),
        error_messages={"invalid": f"{expected}; something else came."},
        metadata=about(description, default),
    )


def include_field() -> String:
    """Declare the form field that asks for pictures in the answer, one or more."""
    expected = f"expected {CLEANED!r}, {LEFT_OUT!r}, or both with a comma between them"
    return String(
        validate=Regexp(
            rf"({CLEANED}|{LEFT_OUT})(,({CLEANED}|{LEFT_OUT}))*\Z",
            error=f"{expected}; {{input!r}} came.",
        ),
        metadata=about(
            f"`{CLEANED}` adds the cleaned image as a data URL. `{LEFT_OUT}` adds one of all ink: "
            "what was taken as the signature in black, print, lines and stamps that were left out "
            "in brown; null where nothing was. Both: with a comma between them.",
            CLEANED,
        ),
    )


class RegionField(String):
    """The part of an image to look at: a Region when read."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if text in {"", "all"}:
            return None
        try:
            return region_of(text)
        except InvalidInput as error:
            raise ValidationError(str(error)) from error


REGION = (
    "The part of the image to look at, `x,y,w,h`: column and row of its upper left corner, width "
    "and height, in pixels of the upright image. Where an image was refused for "
    "`several-signatures`, the problem's `boxes` are such parts."
)


def region_field(description: str = REGION) -> RegionField:
    """Declare the form field that names the part of an image to look at."""
    return RegionField(metadata=about(description, "40,120,600,200"))


def regions_field(images: str) -> List[Any]:
    """Declare a form field that repeats, with the region of each of the `images`."""
    return List(
        RegionField(),
        validate=Length(max=MAX_IMAGES, error=f"expected at most {MAX_IMAGES}; more came."),
        metadata=about(
            f"{REGION} One for each of `{images}`, in their order; `all` is all of it.",
        ),
    )


def name_field(*, required: bool) -> String:
    """Declare a writer's name."""
    return String(
        required=required,
        error_messages={"required": "expected a name; none came.", **TEXT_MESSAGES},
        validate=[
            Length(max=MAX_NAME_LENGTH, error=f"expected at most {MAX_NAME_LENGTH} characters."),
            check_text,
        ],
        metadata={**about("The writer's name, for people to read.", "Ada Example"), **CLEAN},
    )


def operating_point_field() -> String:
    """Declare the form field that chooses the threshold."""
    return String(
        metadata=about(
            "By which target error to decide; one of /v1/about's. Default: the model's.",
            "fmr_skilled=1%",
        )
    )


class NewWriter(Body):
    """A writer to create."""

    writer_id = String(
        required=True,
        validate=check_writer_id,
        error_messages={"required": f"{WRITER_ID_EXPECTED}; none came.", **TEXT_MESSAGES},
        metadata=about(f"Your id for the writer: {WRITER_ID_EXPECTED}.", "C-1001")
        | {"pattern": WRITER_ID_PATTERN},
    )
    name = name_field(required=False)


class NewWriterForm(NewWriter):
    """A writer to create, with their first references."""

    images = images_field("images", "Scans of reference signatures, one in each.", required=False)
    region = regions_field("images")
    include = include_field()


class WriterChange(Body):
    """What can change about a writer."""

    name = name_field(required=True)


class Approval(Body):
    """Which calibration to put to use."""

    calibration_id = Integer(
        required=True,
        strict=True,
        validate=Range(1, MAX_ID, error="expected the id of a calibration; {input} came."),
        error_messages={
            "required": "expected the id of the proposal in /v1/model; none came.",
            "invalid": "expected the id of a calibration; something else came.",
            "null": "expected the id of a calibration; null came.",
        },
        metadata=about("The `calibration_id` of the proposal in /v1/model.", 3),
    )


class WriterQuery(Body):
    """Which writers to list."""

    cursor = String(
        validate=Length(max=500), metadata=about("`next_cursor` of the page before this one.")
    )
    limit = count_field(50, MAX_PAGE, f"Writers to a page, 1 to {MAX_PAGE}.")
    q = String(
        validate=[Length(max=200), check_text],
        metadata={**about("Part of an id or a name, in any case.", "ada"), **CLEAN},
    )


class ErasureQuery(Body):
    """How many erasures to list."""

    limit = count_field(50, MAX_PAGE, f"The last erasures to list, 1 to {MAX_PAGE}.")


class ReferenceForm(Body):
    """Reference signatures to enroll."""

    images = images_field("images", "Scans of reference signatures, one in each.")
    region = regions_field("images")
    include = include_field()


class ImageQuery(Body):
    """Which form of a reference's image to return."""

    cleaned = Boolean(
        load_default=False, metadata=about("The cleaned signature instead of the upload.", True)
    )


class VerifyForm(Body):
    """A query signature to compare with the references of one writer."""

    image = image_field("image", "A scan of the query signature.")
    region = region_field()
    operating_point = operating_point_field()
    include = include_field()


class IdentifyForm(Body):
    """A query signature to compare with everyone."""

    image = image_field("image", "A scan of the query signature.")
    region = region_field()
    top = count_field(
        DEFAULT_CANDIDATES,
        MOST_CANDIDATES,
        f"How many candidates to return at most, 1 to {MOST_CANDIDATES}.",
    )
    include = include_field()


class CompareForm(Body):
    """Signatures to compare with each other."""

    reference = images_field("reference", "Scans of signatures that are known to be genuine.")
    reference_region = regions_field("reference")
    probe = image_field("probe", "A scan of the query signature.")
    region = region_field()
    operating_point = operating_point_field()
    include = include_field()
