"""What proves an erasure: what was erased when, how far it is purged, and where the chains stood.

It names the writer, whom it is about, and holds no image, no name and no vector.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from index.registry.references import Reference
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery
from service.settings import Settings
from service.version import VERSION
from service.writers.erase import erase_writer, forget

FORMAT = 1


def erase_with_proof(
    writer_id: str,
    *,
    registry: Registry,
    gallery: Gallery,
    settings: Settings,
    caller: str,
) -> dict[str, Any]:
    """Erase a writer for good, purge what can be purged now, and return the proof.

    It owns up to the backups that the installation keeps itself, which are not reached.

    Raises:
        UnknownWriter: nobody is known by that id.
        OSError: the registry's files cannot be read.
    """
    # Listed a moment before: what is enrolled in between is counted, and not listed.
    references = registry.references.of_writer(writer_id)
    subject = registry.erasures.subject_of(writer_id)
    erased = erase_writer(writer_id, registry=registry, gallery=gallery, caller=caller)
    registry.purge.attempt(settings.snapshot_dir, lambda: forget(gallery))
    return _signed(
        {
            "format": FORMAT,
            "software": VERSION,
            "registry_id": registry.registry_id(),
            "writer_id": writer_id,
            "enrolled": registry.writers.knows(writer_id),
            "erased_by": caller,
            "reference_count": erased.reference_count,
            "audit_entry": erased.entry,
            "held": [asdict(one) for one in erased.held],
            "references": [_reference(one) for one in references],
            **_state(registry, gallery, subject),
            "backups_before_upgrades": len(list(settings.backup_dir.glob("*.zip"))),
            "proved_at": datetime.now(UTC).isoformat(),
        }
    )


def _state(registry: Registry, gallery: Gallery, subject: str) -> dict[str, Any]:
    """Return how far the erasure is, and where log and chains stand after it."""
    erasure = registry.erasures.of_subject(subject)
    held = gallery.check_erased()
    decisions, entry = registry.decisions.verify(), registry.audit.latest()
    return {
        "erasure": {
            "erasure_id": erasure.erasure_id,
            "subject": subject,
            "erased_at": erasure.erased_at.isoformat(),
            "state": erasure.state,
            "purged_at": None if erasure.purged_at is None else erasure.purged_at.isoformat(),
        },
        "index": {"in_index": list(held.in_index), "in_snapshot": list(held.in_snapshot)},
        "change_log": asdict(registry.changes.head()),
        "decisions": {
            "length": decisions.length,
            "head_sha256": decisions.head_sha256,
            "intact": decisions.intact,
        },
        "audit": None
        if entry is None
        else {"sequence": entry.sequence, "head_sha256": entry.sha256},
    }


def _reference(one: Reference) -> dict[str, Any]:
    return {
        "reference_id": one.reference_id,
        "image_sha256": one.sha256,
        "enrolled_at": one.created_at.isoformat(),
    }


def _signed(proof: Mapping[str, Any]) -> dict[str, Any]:
    """Add the hash of all of it, by which a change is seen."""
    canonical = json.dumps(proof, sort_keys=True, separators=(",", ":"))
    return {**proof, "sha256": hashlib.sha256(canonical.encode()).hexdigest()}
