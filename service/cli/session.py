"""Opens what a command works with, from the settings of the environment, and closes it again."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from encoder.inference.encoder import Encoder
    from index.registry.registry import Registry
    from service.decisions.recording import Asked
    from service.models.live_services import Services
    from service.settings import Settings


@contextmanager
def open_services() -> Iterator[Services]:
    """Build everything, as a server does."""
    from service.composition import build_services
    from service.settings import read_settings

    services = build_services(read_settings())
    try:
        yield services
    finally:
        services.close()


@contextmanager
def open_registry() -> Iterator[tuple[Settings, Registry, Encoder]]:
    """Build registry and encoder without the index, for what needs no search."""
    from service import composition
    from service.settings import read_settings

    settings = read_settings()
    with composition.open_registry(settings) as (registry, encoder):
        yield settings, registry, encoder


@contextmanager
def open_registry_alone() -> Iterator[tuple[Settings, Registry]]:
    """Open the registry without loading a model."""
    from service import composition
    from service.settings import read_settings

    settings = read_settings()
    with composition.open_registry_alone(settings) as registry:
        yield settings, registry


def open_encoder() -> Encoder:
    """Load the model alone, for what stores nothing."""
    from encoder.inference.encoder import load_encoder
    from service.settings import read_settings

    return load_encoder(read_settings().model)


def asked() -> Asked:
    """Who asks by a command, by the policy of the settings."""
    from service.decisions.recording import Asked
    from service.settings import read_settings

    settings = read_settings()
    return Asked(
        caller(),
        review_sample=settings.review_share,
        reject_alone=settings.reject == "software",
    )


def caller() -> str:
    """Who runs the command, as the audit trail names them: `cli:` and the account."""
    user_id = os.getuid()
    try:
        return f"cli:{pwd.getpwuid(user_id).pw_name}"
    except KeyError:  # A container's user need not have an account.
        return f"cli:{user_id}"
