"""Gives handlers the services of the application that is answering, and the caller."""

from collections.abc import Callable
from typing import TypeVar, cast

from flask import current_app, g

from index.errors import ModelChanged
from service.auth.caller import caller_of
from service.models.live_services import Services, Serving
from service.settings import Settings

EXTENSION = "countersign"
Answer = TypeVar("Answer")


def serving() -> Serving:
    """Return what `create_app` made of the services it was given."""
    return cast(Serving, current_app.extensions[EXTENSION])


def services() -> Services:
    """Return what this request works with; the same until its end, though the model be switched."""
    if "services" not in g:
        g.services = serving().current()
    return cast(Services, g.services)


def enrolling(story: Callable[[Services], Answer]) -> Answer:
    """Run a story that stores embeddings; again, where the model was switched before it stored."""
    while True:
        try:
            return story(services())
        except ModelChanged:
            g.services = serving().settled()


def settings() -> Settings:
    """Return how this installation runs; nobody is asked for it."""
    return serving().settings


def caller() -> str:
    """Return who the current request is from."""
    return caller_of(settings())
