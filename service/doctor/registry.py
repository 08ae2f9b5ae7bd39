"""Checks of the registry: schema, model, index, the chain of decisions, erasures, backups."""

from collections.abc import Iterator
from datetime import timedelta

from index.errors import SchemaMismatch
from index.registry.audit.chain import RESTORED
from index.registry.schema_version import head_revision, require_current
from service.backup.backups import MADE
from service.doctor.finding import Finding, Installation, failure, ok, warning
from service.doctor.host import database_file

PURGED_WITHIN = timedelta(hours=1)
BACKED_UP_WITHIN = timedelta(days=2)


def schema(installation: Installation) -> Iterator[Finding]:
    """Is there a registry, and is its schema this version's?"""
    file = database_file(installation)
    if file is not None and not file.exists():
        # Opening it would make it.
        yield failure(
            "schema",
            f"there is no registry at {file}",
            "Run `countersign db upgrade` for a new one, or `countersign restore` a backup; or set "
            "COUNTERSIGN_DATA_DIR to where it is.",
        )
        return
    try:
        require_current(installation.settings.database_url)
    except SchemaMismatch as error:
        remedy = "Run `countersign db upgrade`; if a newer version made it, install that."
        yield failure("schema", str(error), remedy)
    else:
        yield ok("schema", f"{head_revision()}, as this version expects")


def model(installation: Installation) -> Iterator[Finding]:
    """Does the active model load, and has it seen every reference?"""
    encoder = installation.services.encoder
    size = installation.registry.models.gallery_size(encoder.model_id)
    yield ok(
        "model",
        f"{encoder.name} ({encoder.model_id[:12]}) has seen all {size.references} references of "
        f"{size.writers} writers",
    )


def index(installation: Installation) -> Iterator[Finding]:
    """Does the index hold exactly what the registry holds?"""
    report = installation.services.gallery.check()
    if report.clean:
        yield ok("index", f"holds the {report.registry_count} references of the registry")
        return
    lacking = len(report.missing), len(report.extra), len(report.different)
    yield failure(
        "index",
        "{} references are missing, {} too many, {} different".format(*lacking),
        "Run `countersign index rebuild`.",
    )


def audit_trail(installation: Installation) -> Iterator[Finding]:
    """Is everything on the audit chain, and beside it, as it was written?"""
    report = installation.registry.trail.verify()
    if report.intact:
        yield ok(
            "audit trail", f"{report.entries} entries and {report.decisions} decisions are intact"
        )
        return
    first = report.findings[0]
    yield failure(
        "audit trail",
        f"{report.finding_count} findings; {first.where}: {first.what}",
        "Somebody changed the database, or it is damaged. Keep a copy of it, restore the last "
        "backup elsewhere, and compare. `countersign audit verify` tells all.",
    )


def erasures(installation: Installation) -> Iterator[Finding]:
    """Is whatever was erased gone from the disk too?"""
    late = [
        one
        for one in installation.registry.erasures.pending()
        if installation.now - one.erased_at > PURGED_WITHIN
    ]
    if not late:
        yield ok("erasures", "none waits to be purged for more than an hour")
        return
    yield warning(
        "erasures",
        f"bytes of {len(late)} erasures may still be on disk, since {late[0].erased_at:%F %T} UTC",
        "Close what reads the registry for long, such as a backup or an export that hangs; a "
        "server purges then, and so does `countersign index check --erased WRITER`.",
    )


def last_backup(installation: Installation) -> Iterator[Finding]:
    """Was a backup made lately?"""
    remedy = "Run `countersign backup FILE` every day, to another disk."
    entry = installation.registry.audit.latest(MADE)
    if entry is not None:
        age = installation.now - entry.created_at
        said = f"made on {entry.created_at:%F %T} UTC, {age.days} days ago"
        yield (
            ok("last backup", said)
            if age <= BACKED_UP_WITHIN
            else warning("last backup", said, remedy)
        )
    elif installation.registry.changes.revision() == 0:
        yield ok("last backup", "none, and nobody was ever enrolled")
    elif restored := installation.registry.audit.latest(RESTORED):
        # A backup holds no record of itself.
        said = f"none since it was restored on {restored.created_at:%F %T} UTC"
        yield warning("last backup", said, remedy)
    else:
        yield warning("last backup", "none was ever made", remedy)
