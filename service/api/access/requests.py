"""What comes in about keys and signing in: the fields, checked here and drawn in /openapi.json."""

from apiflask.fields import List, String
from apiflask.validators import Length, OneOf
from marshmallow import ValidationError

from index.registry.identifiers import MAX_NAME_LENGTH
from service.api.requests import CLEAN, TEXT_MESSAGES, Body, about, check_text
from service.auth.keys import duration_of
from service.auth.passwords import MAX_LENGTH, MIN_LENGTH
from service.auth.scopes import SCOPES
from service.errors import InvalidInput

# Examples of what people show.
PASSWORD = "correct horse battery"  # noqa: S105 - Nobody's.
CODE = "287082"


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

    expires_in = duration_field(
        "How long the new one is of use; left out or null: as long as the old one was made for.",
        "90d",
    )
    overlap = duration_field("How long the old one goes on being of use; a day if left out.", "1h")


def secret_field(description: str, example: str, most: int = MAX_LENGTH) -> String:
    """Declare a field that is taken as it comes, and never repeated in a message."""
    return String(
        required=True,
        validate=Length(1, most, error=f"expected 1 to {most} characters."),
        error_messages={"required": "expected it; it did not come.", **TEXT_MESSAGES},
        metadata=about(description, example),
    )


def new_password_field() -> String:
    """Declare a password to set; its rules are told when it is refused."""
    return secret_field(
        f"The new password, {MIN_LENGTH} to {MAX_LENGTH} characters.", "four words of yours alone"
    )


def code_field() -> String:
    """Declare a code of the second factor, where one is asked for."""
    return String(
        allow_none=True,
        validate=Length(max=40, error="expected at most 40 characters."),
        error_messages={"invalid": TEXT_MESSAGES["invalid"]},
        metadata=about(
            "A code of the authenticator app, or a recovery code, where one is asked.", CODE
        ),
    )


class Credentials(Body):
    """What somebody signs in with."""

    username = secret_field("The user name.", "ada", 200)
    password = secret_field("The password.", PASSWORD)
    code = code_field()


class LinkPassword(Body):
    """A password to set by a one-time link."""

    link = secret_field("What comes after the # in the link.", "0123456789abcdef" * 4, 200)
    password = new_password_field()


class PasswordChange(Body):
    """A password to put in place of another."""

    current = secret_field("The password until now.", PASSWORD)
    code = code_field()
    password = new_password_field()


class Password(Body):
    """The password of somebody signed in, and a code where one is asked for, once more."""

    password = secret_field("Your password.", PASSWORD)
    code = code_field()


class Code(Body):
    """A code of an authenticator app."""

    code = secret_field("Six digits.", CODE, 40)
