"""Every value of an exported file is the registry's, reference by reference."""

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from encoder.imaging.preview import preview_png
from encoder.scoring.local_descriptors import pack
from index.registry.references import NewReference
from service.transfer.gallery_export import export_gallery
from service.writers.uploads import Upload, acquire_one, describe_each

# A writer's reference each, all of whose values differ from the other's.
NEW = (
    ("C-1", "Ada Lind", "image/png", "a.png"),
    ("C-2", "Zoë Ångström", "image/tiff", None),
    ("C-3", "李 小龙", "image/bmp", "c.bmp"),
)


@pytest.fixture
def enrolled(services, scan):
    """The references as they went in, and as the registry names them."""
    both = []
    for number, (writer_id, name, media_type, filename) in enumerate(NEW):
        image = scan(number + 1, 0)
        acquired = acquire_one(Upload(filename, image), services.encoder)
        described = describe_each([acquired], services.encoder)
        new = NewReference(
            image=image,
            media_type=media_type,
            cleaned_png=preview_png(acquired.acquisition.ink),
            sha256=hashlib.sha256(image).hexdigest(),
            quality=acquired.acquisition.quality.as_dict() | {"warnings": [f"Number {number}."]},
            vector=described.vectors[0],
            filename=filename,
            pieces=pack(described.pieces[0]),
        )
        model_id = services.encoder.model_id
        _, [made] = services.registry.writers.create(writer_id, name, model_id, [new])
        both.append((new, made))
    services.registry.writers.create("C-4", "Without references")
    return both


@pytest.mark.parametrize("images", [False, True])
def test_an_exported_file_holds_what_the_registry_does(services, enrolled, tmp_path, images):
    file = tmp_path / "gallery.parquet"
    before = datetime.now(UTC).replace(microsecond=0)
    *_, done = export_gallery(
        file, encoder=services.encoder, registry=services.registry, images=images
    )
    after = datetime.now(UTC)
    assert asdict(done) == {
        "writers": 4,
        "references": 3,
        "all_writers": 4,
        "all_references": 3,
        "revision": services.registry.changes.revision(),
    }
    table = pq.read_table(file)
    header = json.loads(table.schema.metadata[b"countersign"])
    assert before <= datetime.fromisoformat(header.pop("exported_at")) <= after
    assert header == {
        "model_id": services.encoder.model_id,
        "model_name": services.encoder.name,
        "dimension": services.encoder.dimension,
        "images": images,
        "registry_id": services.registry.registry_id(),
        "revision": services.registry.changes.revision(),
        "format": "countersign gallery 2",
    }
    *rows, without = table.to_pylist()
    for row, (new, made), (writer_id, name, media_type, filename) in zip(
        rows, enrolled, NEW, strict=True
    ):
        vector = np.array(row.pop("vector"), np.float32)
        assert vector == pytest.approx(new.vector, abs=1e-6)
        assert json.loads(row.pop("quality")) == new.quality
        assert row == {
            "writer_id": writer_id,
            "name": name,
            "reference_id": made.reference_id,
            "sha256": new.sha256,
            "media_type": media_type,
            "filename": filename,
            "created_at": made.created_at,
            "pieces": new.pieces,
            **({"image": new.image, "cleaned_png": new.cleaned_png} if images else {}),
        }
    told = {name: value for name, value in without.items() if value is not None}
    assert told == {"writer_id": "C-4", "name": "Without references"}
