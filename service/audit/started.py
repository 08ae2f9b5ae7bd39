"""Puts the settings that a server starts with on the audit chain, without secrets."""

import logging
from dataclasses import asdict

from index.errors import RegistryFull
from index.registry.audit.chain import AuditEvent
from index.registry.audit.sealing import canonical, text_sha256
from index.registry.registry import Registry
from service.settings import Settings
from service.version import VERSION

logger = logging.getLogger(__name__)

ACTOR = "server"
# May hold a password, or a person's name in a path: these are in the hash alone.
UNSAID = frozenset(
    {"database_url", "index_url", "data_dir", "model", "audit_key", "audit_anchor", "host"}
)


def note_start(settings: Settings, registry: Registry, rule_id: str) -> None:
    """Say on the chain by which settings, version and rule a process answers from now on.

    On a full disk the log says it alone: a server must start there, to erase and make room.
    """
    every = {
        name: value if isinstance(value, str | int | float | None) else str(value)
        for name, value in asdict(settings).items()
    }
    said = {name: value for name, value in every.items() if name not in UNSAID}
    details = {
        "settings": said,
        "settings_sha256": text_sha256(canonical(every)),
        "software": VERSION,
        "rule": rule_id,
    }
    try:
        registry.audit.append(AuditEvent("settings.started", ACTOR, details=details))
    except RegistryFull as error:
        logger.warning("The audit chain does not say that a process started: %s", error)
