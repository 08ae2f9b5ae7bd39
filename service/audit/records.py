"""A decision as it is shown, over HTTP and by a command alike."""

from dataclasses import asdict
from typing import Any

from index.registry.audit.stored import StoredDecision

_HEAD = ("decision_id", "kind", "verdict", "writer_id", "score", "caller", "state")
_MORE = (
    "operating_point",
    "log_lr",
    "threshold",
    "non_match_threshold",
    "model_id",
    "reference_ids",
    "candidates",
    "probe_sha256",
    "sha256",
    "entry",
    "details",
    "rule",
)


def head_of(stored: StoredDecision) -> dict[str, Any]:
    """What a list shows of a decision; times are not text yet."""
    return {"decided_at": stored.created_at, **_named(stored, _HEAD)}


def record_of(stored: StoredDecision) -> dict[str, Any]:
    """All that is kept of a decision; times are not text yet."""
    hold = stored.hold
    return {
        **head_of(stored),
        **_named(stored, _MORE),
        "hold": None if hold is None else asdict(hold) | {"in_force": hold.in_force},
        "reviews": [asdict(one) for one in stored.reviews],
    }


def _named(stored: StoredDecision, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in names}
