"""Puts the settings that a server starts with on the audit chain, without secrets."""

import logging

from index.errors import RegistryFull
from index.registry.audit.chain import AuditEvent
from index.registry.audit.sealing import canonical, text_sha256
from index.registry.registry import Registry
from service.redaction import shown
from service.settings import Settings
from service.version import VERSION

logger = logging.getLogger(__name__)

ACTOR = "server"
# Of these the chain holds the value.
SAID = (
    *("auth", "calibrate", "index_ivf_from", "index_nearest", "port", "workers", "threads"),
    *("requests_per_address", "body_timeout", "rate_limit", "verify_limit", "trusted_proxies"),
    *("oidc_issuer", "oidc_client_id", "oidc_role_claim", "oidc_roles"),
    *("keep_decisions", "keep_queries", "log_level", "log_format", "audit_anchor_every"),
    *("review_sample", "review_blind", "review_claim", "reject", "rejecters"),
)
# May hold a person's name in a path or an address: these are in the hash alone, without passwords.
HASHED = (
    *("database_url", "index_url", "limits_url", "data_dir", "model", "host"),
    *("tls_cert", "tls_key", "audit_key", "audit_anchor"),
)
# Nothing of these is here: a secret, and what commands go by.
LEFT_OUT = ("oidc_client_secret", "key", "key_file", "server")


def note_start(settings: Settings, registry: Registry, rule_id: str) -> None:
    """Say on the chain by which settings, version and rule a process answers from now on.

    On a full disk the log says it alone: a server must start there, to erase and make room.
    """
    said = {name: _plain(getattr(settings, name)) for name in SAID}
    others = {name: shown(name, getattr(settings, name)) for name in HASHED}
    details = {
        "settings": said,
        "settings_sha256": text_sha256(canonical({**said, **others})),
        "software": VERSION,
        "rule": rule_id,
    }
    try:
        registry.audit.append(AuditEvent("settings.started", ACTOR, details=details))
    except RegistryFull as error:
        logger.warning("The audit chain does not say that a process started: %s", error)


def _plain(value: object) -> str | int | None:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, str | int | None) else str(value)
