"""Gives handlers the services of the application that is answering, and the caller."""

from typing import cast

from flask import current_app

from service.access import caller_of
from service.composition import Services

EXTENSION = "countersign"


def services() -> Services:
    """Return what `create_app` was given."""
    return cast(Services, current_app.extensions[EXTENSION])


def caller() -> str:
    """Return who the current request is from."""
    return caller_of(services().settings)
