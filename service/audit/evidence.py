"""Everything there is about one decision, in one archive: for a court, or a customer who asks.

It holds the record, the images, a report for people and the proof: the row with its salt, from
which its hash follows, and the chain from its entry on, which an anchor signs.
"""

import json
import zipfile
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from io import BytesIO
from typing import Any

from encoder.errors import ImageError
from encoder.imaging.preview import preview_png
from encoder.imaging.region import Region
from index.errors import QueryNotKept
from index.registry.audit.chain import AuditEvent, Head
from index.registry.audit.stored import StoredDecision
from index.registry.audit.stored_image import StoredImage
from service.audit.anchors import make_anchor, read_key
from service.audit.exporting import FORMAT, entry_as_dict
from service.audit.report import Picture, as_html, as_pdf, sections
from service.models.live_services import Services

# Of entries after the decision's own that the archive holds.
MOST_ENTRIES = 5000
SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/tiff": "tif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/heif": "heic",
    "application/pdf": "pdf",
}
README = """\
The record of one decision about a signature, and the proof of it.

report.html, report.pdf   for people
decision.json             all that was recorded; `details` is what it rests on, `rule` what decided
images/                   the query image as it came, and the references that are still kept
proof/row.json            the decision's row: its hash is the HMAC-SHA-256, keyed with `salt`, of
                          `content` as JSON with sorted keys and without spaces
proof/chain.jsonl         the audit chain from the decision's entry on (`entry` in decision.json);
                          `content_sha256` of that entry is the row's hash, or the one that a
                          later entry says was `replaced` by it when a writer was erased
proof/anchor.jsonl        the last of these entries, signed, where the server has a key

To verify the chain:
  countersign audit verify --export proof/chain.jsonl \\
    --anchor proof/anchor.jsonl --public-key audit.pem.pub
"""


def evidence(decision_id: str, *, services: Services, caller: str) -> bytes:
    """Return the archive, a zip; that it was made, with how many images, is put on the chain.

    Raises:
        UnknownDecision: there is none of this id.
    """
    stored = services.registry.decisions.get(decision_id)
    images = _images(stored, services)
    entry = AuditEvent(
        "decision.exported",
        caller,
        details={"decision": decision_id, "images": len(images)},
    )
    services.registry.audit.append(entry)
    parts = sections(stored, _pictures(stored, images, services))
    title = f"Decision {decision_id}"
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        archive.writestr("decision.json", _json(asdict(stored)))
        archive.writestr("report.html", as_html(title, parts))
        archive.writestr("report.pdf", as_pdf(title, parts))
        for name, image in images.items():
            suffix = SUFFIXES.get(image.media_type, "bin")
            archive.writestr(f"images/{name}.{suffix}", image.data)
        for name, text in _proof(stored, services).items():
            archive.writestr(f"proof/{name}", text)
    return stream.getvalue()


def _images(stored: StoredDecision, services: Services) -> dict[str, StoredImage]:
    """The query image and the references it was compared with, as far as they are kept."""
    found: dict[str, StoredImage] = {}
    with suppress(QueryNotKept):  # The report says that it is not.
        found["query"] = services.registry.decisions.kept_image(stored.decision_id)
    known = {one["reference_id"]: one["sha256"] for one in _compared(stored)}
    kept = services.registry.references.images(known)
    for number, (digest, image) in kept.items():
        if known[number] == digest:
            found[f"reference-{number}"] = image
    return found


def _compared(stored: StoredDecision) -> list[dict[str, Any]]:
    details = stored.details or {}
    candidates = details.get("candidates", ())
    return [
        *details.get("references", ()),
        *(one for candidate in candidates for one in candidate["references"]),
    ]


def _pictures(
    stored: StoredDecision, images: dict[str, StoredImage], services: Services
) -> list[Picture]:
    """The cleaned signatures, for the report: browsers draw no TIFF."""
    found = []
    if "query" in images:
        region = (stored.details or {}).get("region")
        part = None if region is None else Region(**region)
        with suppress(ImageError):  # Another version may refuse it; the archive has the image.
            acquired = services.encoder.acquire(images["query"].data, region=part)
            found.append(Picture("The query signature", preview_png(acquired.ink)))
    numbers = [int(one.removeprefix("reference-")) for one in images if one != "query"]
    previews = services.registry.references.previews(numbers)
    return [*found, *(Picture(f"Reference {one}", previews[one]) for one in sorted(previews))]


def _proof(stored: StoredDecision, services: Services) -> dict[str, str]:
    registry = services.registry
    row = registry.decisions.proof(stored.decision_id)
    found = {"row.json": _json(row)}
    if stored.entry is None:
        return found
    entries = registry.audit.following(stored.entry, MOST_ENTRIES)
    header = {"format": FORMAT, "registry": registry.registry_id(), "from": None, "to": None}
    lines = [json.dumps(header), *(json.dumps(entry_as_dict(one)) for one in entries)]
    found["chain.jsonl"] = "".join(f"{line}\n" for line in lines)
    key = services.settings.audit_key
    if key is not None:
        last = Head(entries[-1].sequence, entries[-1].sha256)
        anchor = make_anchor(registry, read_key(key), last)
        found["anchor.jsonl"] = json.dumps(anchor.as_dict()) + "\n"
    return found


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    raise TypeError(f"Expected what JSON can hold, or a time; got {type(value).__name__}.")
