"""What comes in about keys and signing in: the fields, checked here and drawn in /openapi.json."""

from apiflask.fields import List, String
from apiflask.validators import Length, OneOf
from marshmallow import ValidationError

from index.registry.identifiers import MAX_NAME_LENGTH
from service.api.requests import CLEAN, TEXT_MESSAGES, Body, about, check_text
from service.auth.keys import duration_of
from service.auth.scopes import SCOPES
from service.errors import InvalidInput


def duration_field(description: str, example: str) -> String:
    """Declare a time span such as 90d."""
    return String(
        allow_none=True,
        validate=check_duration,
        error_messages={"invalid": TEXT_MESSAGES["invalid"]},
        metadata={**about(description, example), "pattern": r"^[1-9][0-9]{0,2}[mhd]$"},
    )


def check_duration(text: str) -> None:
    """Refuse what is no time span.

    Raises:
        ValidationError: saying what was expected and what came.
    """
    try:
        duration_of(text)
    except InvalidInput as error:
        raise ValidationError(str(error)) from error


class NewKey(Body):
    """A key to make."""

    name = String(
        required=True,
        validate=[Length(1, MAX_NAME_LENGTH, error="expected 1 to 200 characters."), check_text],
        error_messages={"required": "expected a name; none came.", **TEXT_MESSAGES},
        metadata={**about("What the key is for.", "nightly import"), **CLEAN},
    )
    scopes = List(
        String(validate=OneOf(SCOPES, error=f"expected scopes among {', '.join(SCOPES)}.")),
        required=True,
        validate=Length(1, len(SCOPES), error="expected one scope or more, each once."),
        error_messages={"required": "expected scopes; none came.", "null": "expected scopes."},
        metadata=about("What its holder may do.", ["verify", "read"]),
    )
    expires_in = duration_field("How long it is of use; left out or null: until revoked.", "90d")


class KeyRotation(Body):
    """How to replace a key."""

    expires_in = duration_field("How long the new one is of use; null: until revoked.", "90d")
    overlap = duration_field("How long the old one goes on being of use; a day if left out.", "1h")
