"""Files that a gallery was exported into by an earlier version are read as they were meant."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from service.transfer.gallery_file import Header, Row, open_gallery_file

HERE = Path(__file__).parent
OWNERS = (("C-1", "Ada Lind"), ("C-1", "Ada Lind"), ("C-2", "Zoë Ångström"))


@pytest.mark.parametrize("images", [False, True])
def test_a_file_of_format_2_is_read_as_it_was_written(images):
    """Where this fails, name another format: what people have on disk is of this one."""
    with open_gallery_file(HERE / f"gallery_2{'_images' if images else ''}.parquet") as reader:
        rows = [row for batch in reader.batches(2) for row in batch]
        assert reader.rows == 4
        assert reader.header == Header(
            model_id=hashlib.sha256(b"a model").hexdigest(),
            model_name="synthetic",
            dimension=4,
            images=images,
            registry_id="0" * 31 + "1",
            revision=7,
            exported_at="2026-01-02T03:04:05+00:00",
            format="countersign gallery 2",
        )
    for number, (row, (writer_id, name)) in enumerate(zip(rows, OWNERS, strict=False)):
        image = f"image {number}".encode()
        assert row.vector.dtype == np.float32
        assert vars(row) | {"vector": row.vector.tolist()} == {
            "writer_id": writer_id,
            "name": name,
            "reference_id": number + 1,
            "sha256": hashlib.sha256(image).hexdigest(),
            "media_type": "image/png",
            "filename": f"{number}.png",
            "quality": f'{{"ink_height_px": {40 + number}, "warnings": []}}',
            "vector": np.eye(4)[number].tolist(),
            "pieces": f"pieces {number}".encode(),
            "image": image if images else None,
            "cleaned_png": f"cleaned {number}".encode() if images else None,
        }
    assert rows[3] == Row("C-3", "Without references", *[None] * 7)
