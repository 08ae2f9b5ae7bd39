"""The Parquet file that a gallery travels in: its columns, written and read a row group at a time.

A row is a reference, or a writer without references, whose other columns are null. What is in a
file is checked here for its form alone; `gallery_import` checks the values of its rows.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from index.registry.references import StoredReference
from service.errors import InvalidInput

FORMAT = "countersign gallery 2"
WITHOUT_PIECES = "countersign gallery 1"  # What earlier versions wrote.
MAX_DIMENSION = 2**16
_METADATA = b"countersign"
_IMAGES = ("image", "cleaned_png")
_REPEATING = ["writer_id", "name", "media_type", "quality"]


@dataclass(frozen=True)
class Header:
    """What a whole file is of; `exported_at` is ISO 8601."""

    model_id: str
    model_name: str
    dimension: int
    images: bool
    registry_id: str
    revision: int
    exported_at: str
    format: str = FORMAT


class GalleryWriter:
    """Writes a file, a batch as a row group; nothing but the footer stays in memory."""

    def __init__(self, file: IO[bytes], header: Header) -> None:
        self._schema = _schema(header)
        self._writer = pq.ParquetWriter(
            file,
            self._schema,
            compression="zstd",
            use_dictionary=_REPEATING,
            write_statistics=["writer_id", "reference_id"],
            write_page_checksum=True,
        )

    def write_references(self, batch: Sequence[StoredReference]) -> None:
        """Write references of the header's model."""
        columns: dict[str, Any] = {
            "writer_id": [one.reference.writer_id for one in batch],
            "name": [one.writer_name for one in batch],
            "reference_id": [one.reference.reference_id for one in batch],
            "sha256": [one.reference.sha256 for one in batch],
            "media_type": [one.reference.media_type for one in batch],
            "filename": [one.filename for one in batch],
            "quality": [json.dumps(one.reference.quality) for one in batch],
            "created_at": [one.reference.created_at for one in batch],
            "vector": _vectors([one.vector for one in batch]),
            "pieces": [one.pieces for one in batch],
            "image": [one.image for one in batch],
            "cleaned_png": [one.cleaned_png for one in batch],
        }
        self._write(columns, len(batch))

    def write_writers(self, batch: Sequence[tuple[str, str]]) -> None:
        """Write (id, name) of writers without references."""
        ids, names = zip(*batch, strict=True)
        self._write({"writer_id": ids, "name": names}, len(batch))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()

    def _write(self, columns: dict[str, Any], rows: int) -> None:
        arrays = [
            pa.array(columns[field.name], field.type)
            if field.name in columns and not isinstance(columns[field.name], pa.Array)
            else columns.get(field.name, pa.nulls(rows, field.type))
            for field in self._schema
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))


@dataclass(frozen=True)
class Row:
    """A row as it came: nothing in it can be trusted, and `vector` (d,) float32 is any.

    `pieces` is what the header's model keeps besides the vector; None if it keeps nothing.
    """

    writer_id: str | None
    name: str | None
    reference_id: int | None
    sha256: str | None
    media_type: str | None
    filename: str | None
    quality: str | None
    vector: NDArray[np.float32] | None
    pieces: bytes | None
    image: bytes | None = None
    cleaned_png: bytes | None = None


class GalleryReader:
    """An open file: what it is of, how many rows it has, and the rows."""

    def __init__(self, path: Path, file: pq.ParquetFile, header: Header) -> None:
        self._path = path
        self._file = file
        self.header = header
        self.rows: int = file.metadata.num_rows

    def batches(self, size: int) -> Iterator[list[Row]]:
        """Yield the rows, `size` at a time.

        Raises:
            InvalidInput: the file is damaged.
        """
        names = [name for name in self._file.schema_arrow.names if name != "created_at"]
        try:
            for batch in self._file.iter_batches(size, columns=names):
                yield _rows(batch, self.header.dimension)
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                f"{self._path} is damaged: {error}. Copy or export it again; what was imported "
                "stays, and is passed over the next time."
            ) from error


@contextmanager
def open_gallery_file(path: Path) -> Iterator[GalleryReader]:
    """Open a file for reading.

    Raises:
        InvalidInput: it is not a gallery's, or is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise _foreign(path, f"it cannot be read as Parquet ({error})") from error
        header = _read_header(path, parquet.schema_arrow)
        if not parquet.schema_arrow.equals(_schema(header)):
            raise _foreign(path, "its columns are others")
        yield GalleryReader(path, parquet, header)


def _schema(header: Header) -> pa.Schema:
    fields = [
        ("writer_id", pa.string()),
        ("name", pa.string()),
        ("reference_id", pa.int64()),
        ("sha256", pa.string()),
        ("media_type", pa.string()),
        ("filename", pa.string()),
        ("quality", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("vector", pa.list_(pa.float32(), header.dimension)),
        ("pieces", pa.binary()),
        *((name, pa.binary()) for name in _IMAGES if header.images),
    ]
    return pa.schema(fields, {_METADATA: json.dumps(asdict(header)).encode()})


def _read_header(path: Path, schema: pa.Schema) -> Header:
    found = (schema.metadata or {}).get(_METADATA)
    if found is None:
        raise _foreign(path, "no gallery was exported into it")
    try:
        header = Header(**json.loads(found))
    except (ValueError, TypeError, RecursionError) as error:
        raise _foreign(path, "what it says of itself cannot be read") from error
    if header.format == WITHOUT_PIECES:
        raise InvalidInput(
            f"{path} cannot be imported: it is of the format {WITHOUT_PIECES!r}, which lacks the "
            "pieces of strokes that signatures are compared by. Export it again, with this version "
            "of Countersign."
        )
    types = {name: type(value) for name, value in asdict(header).items()}
    if (
        types != Header.__annotations__
        or header.format != FORMAT
        or not 0 < header.dimension <= MAX_DIMENSION
    ):
        raise _foreign(path, f"it says that it is {header.format!r}, expected {FORMAT!r}")
    return header


def _foreign(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{path} cannot be imported: {reason}. Expected a file that `countersign gallery export` "
        "wrote, as it was written."
    )


def _vectors(vectors: Sequence[NDArray[np.float32]]) -> pa.Array:
    matrix = np.stack(vectors)
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _rows(batch: pa.RecordBatch, dimension: int) -> list[Row]:
    vectors = batch.column("vector")
    there = vectors.is_valid().to_numpy(zero_copy_only=False)
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    filled = iter(flat.astype(np.float32, copy=False).reshape(-1, dimension))
    columns = {
        name: batch.column(name).to_pylist() for name in batch.schema.names if name != "vector"
    }
    columns["vector"] = [next(filled) if one else None for one in there]
    return [
        Row(**dict(zip(columns, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]
