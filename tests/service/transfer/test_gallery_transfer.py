"""A gallery that moves is the same elsewhere; what a file holds is checked before it is kept."""

import hashlib
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from encoder.imaging.preview import preview_png
from encoder.inference.encoder import Encoder, load_encoder
from encoder.scoring.local_descriptors import pack, unpack
from encoder.synthesis import encode_png, synthetic_writer
from index.errors import ImageNotHeld
from index.registry import database as index_database
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.registry.writers import NewEnrollment
from index.sync.local_gallery import LocalGallery
from index.vectors.vector_index import RecallTarget
from service.errors import InvalidInput
from service.transfer import gallery_export
from service.transfer.gallery_export import Exported, export_gallery
from service.transfer.gallery_file import open_gallery_file
from service.transfer.gallery_import import import_gallery
from service.transfer.importing import ImportedBatch

QUALITY = {
    "ink_height_px": 40,
    "ink_width_px": 90,
    "ink_fraction": 0.1,
    "contrast": 180.5,
    "warnings": ["Faint.", {"code": "faint", "message": "Faint."}],
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def enrollments(encoder: Encoder) -> list[NewEnrollment]:
    """Three invented writers with three references each, and one without any."""
    made = []
    for seed in range(1, 4):
        for n in range(3):
            image = encode_png(synthetic_writer(seed).genuine(n))
            found = encoder.acquire(image)
            described = encoder.describe(found.canvas[None])
            reference = NewReference(
                image=image,
                media_type="image/png",
                cleaned_png=preview_png(found.ink),
                sha256=hashlib.sha256(image).hexdigest(),
                quality=QUALITY,
                vector=described.vectors[0],
                filename=f"é {n}.png" if n else None,
                pieces=pack(described.pieces[0]),
            )
            made.append(NewEnrollment(f"C-{seed}", f"Writer № {seed}", reference))
    return [*made, NewEnrollment("C-9", "Without References")]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def opened(encoder: Encoder) -> Iterator[Callable[[str], Registry]]:
    """Open a migrated database as a registry that knows the model; closed after the test."""
    registries = []

    def open_url(url: str) -> Registry:
        registry = Registry(url)
        registry.models.register(encoder.model_id, encoder.name, encoder.dimension)
        registries.append(registry)
        return registry

    yield open_url
    for registry in registries:
        registry.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return f"sqlite:///{shutil.copy(migrated, tmp_path / 'elsewhere.db')}"


@pytest.fixture
def source(opened: Any, migrated: Path, tmp_path: Path, encoder: Encoder, enrollments: Any) -> Any:
    registry = opened(f"sqlite:///{shutil.copy(migrated, tmp_path / 'source.db')}")
    registry.writers.enroll_many(encoder.model_id, enrollments)
    return registry


@pytest.fixture
def target(opened: Any, migrated: Path, tmp_path: Path) -> Registry:
    return opened(f"sqlite:///{shutil.copy(migrated, tmp_path / 'target.db')}")


@pytest.fixture
def export(encoder: Encoder, tmp_path: Path) -> Callable[..., Path]:
    def run(registry: Registry, images: bool = True, name: str = "gallery.parquet") -> Path:
        file = tmp_path / name
        for _ in export_gallery(file, encoder=encoder, registry=registry, images=images):
            pass
        return file

    return run


@pytest.fixture
def bring_in(encoder: Encoder) -> Callable[[Path, Registry], ImportedBatch]:
    """Import a file; return all batches as one."""

    def run(file: Path, registry: Registry) -> ImportedBatch:
        with open_gallery_file(file) as reader:
            batches = list(import_gallery(reader, encoder=encoder, registry=registry))
        return ImportedBatch(
            sum(one.files for one in batches),
            sum(one.enrolled for one in batches),
            sum(one.already_there for one in batches),
            tuple(refusal for one in batches for refusal in one.refused),
            tuple(reference for one in batches for reference in one.references),
        )

    return run


def held(registry: Registry, encoder: Encoder, images: bool = True) -> list[tuple[Any, ...]]:
    """All that a registry holds but its own numbers and dates, in the order of enrollment."""
    with registry.reading(encoder.model_id) as frozen:
        references = [
            (
                one.reference.writer_id,
                one.writer_name,
                one.reference.sha256,
                one.reference.media_type,
                one.reference.quality,
                one.filename,
                one.vector.tobytes(),
                one.pieces,
                *((one.image, one.cleaned_png) if images else ()),
            )
            for batch in frozen.references(2, images=images)
            for one in batch
        ]
        return [*references, *(one for batch in frozen.other_writers(1) for one in batch)]


def found(registry: Registry, encoder: Encoder, folder: Path) -> list[list[tuple[str, float]]]:
    """What searches for random vectors find: writer, image and similarity, nearest first."""
    probes = np.random.default_rng(1).standard_normal((20, encoder.dimension)).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    dimension, target = encoder.index_dimension, RecallTarget(80)
    with closing(
        LocalGallery(registry, encoder.model_id, dimension, folder / "snapshots", 1000, target)
    ) as gallery:
        gallery.open()
        near = gallery.search(probes, 9)
        assert gallery.check().clean
    owners = registry.references.writers_of(
        {name for one in near for name in one.reference_ids.tolist()}
    )
    digests = {
        one.reference_id: one.sha256
        for writer_id in set(owners.values())
        for one in registry.references.of_writer(writer_id)
    }
    both = ((one.reference_ids.tolist(), one.similarities.tolist()) for one in near)
    return [[(digests[name], alike) for name, alike in zip(*one, strict=True)] for one in both]


@pytest.mark.parametrize("images", [False, True])
def test_a_gallery_is_the_same_elsewhere(
    *,
    source: Registry,
    opened: Any,
    database_url: str,
    encoder: Encoder,
    export: Any,
    bring_in: Any,
    tmp_path: Path,
    images: bool,
) -> None:
    file = export(source, images)
    elsewhere = opened(database_url)
    first = bring_in(file, elsewhere)
    assert first == ImportedBatch(10, 9, 0, (), first.references)
    rows = pq.read_table(file).select(["writer_id", "sha256"]).to_pylist()
    assert [(one.writer_id, one.where, one.sha256) for one in first.references] == [
        (row["writer_id"], f"row {number}", row["sha256"])
        for number, row in enumerate(rows, 1)
        if row["sha256"]
    ]
    assert held(elsewhere, encoder, images) == held(source, encoder, images)
    assert found(elsewhere, encoder, tmp_path / "b") == found(source, encoder, tmp_path / "a")
    assert bring_in(file, elsewhere) == ImportedBatch(10, 0, 9, (), first.references)
    again = export(elsewhere, images, "again.parquet")
    assert (
        pq.read_table(again)
        .drop(["created_at", "reference_id"])
        .equals(pq.read_table(file).drop(["created_at", "reference_id"]))
    )


def test_without_images_a_reference_says_that_it_has_none(
    source: Registry, target: Registry, export: Any, bring_in: Any
) -> None:
    file = export(source, images=False)
    bring_in(file, target)
    reference_id = target.references.of_writer("C-1")[0].reference_id
    for cleaned in (False, True):
        with pytest.raises(ImageNotHeld, match="without its image"):
            target.references.image("C-1", reference_id, cleaned)


def test_only_the_owner_can_read_the_file_and_it_is_whole_or_not_there(
    source: Registry, encoder: Encoder, export: Any, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    exporting = export_gallery(
        tmp_path / "half.parquet", encoder=encoder, registry=source, images=True
    )
    next(exporting)
    assert [stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob(".half.*")] == [0o600]
    exporting.close()
    assert sorted(tmp_path.iterdir()) == before
    file = export(source)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    with pytest.raises(InvalidInput, match="exists already"):
        export(source)
    assert file.read_bytes() == content


def test_an_export_is_of_one_moment(
    *,
    opened: Any,
    database_url: str,
    encoder: Encoder,
    enrollments: Any,
    target: Registry,
    bring_in: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = opened(database_url)
    registry.writers.enroll_many(encoder.model_id, enrollments)
    before = held(registry, encoder)
    monkeypatch.setattr(gallery_export, "ROWS_WITH_IMAGES", 2)
    monkeypatch.setattr(index_database, "BUSY_TIMEOUT_S", 0.1)
    file = tmp_path / "gallery.parquet"
    exporting = export_gallery(file, encoder=encoder, registry=registry, images=True)
    first = next(exporting)
    assert first == Exported(0, 2, 4, 9, first.revision)
    registry.writers.rename("C-2", "Renamed")
    late = replace(enrollments[0].reference, sha256="0" * 64)
    registry.references.add("C-9", encoder.model_id, [late])
    registry.writers.erase("C-3")  # Its log is being read, so its bytes go later.
    assert registry.erasures.newest(1)[0].state == "erased"
    assert list(exporting)[-1] == Exported(4, 9, 4, 9, first.revision)
    assert pq.ParquetFile(file).metadata.num_row_groups == 6
    bring_in(file, target)
    assert held(target, encoder) == before
    assert held(registry, encoder) != before


def test_what_the_model_has_not_seen_is_counted_and_left_out(
    source: Registry, encoder: Encoder, enrollments: Any, tmp_path: Path
) -> None:
    source.models.register("b" * 64, "other", encoder.dimension)
    source.references.add("C-9", "b" * 64, [enrollments[0].reference])
    file = tmp_path / "gallery.parquet"
    done = list(export_gallery(file, encoder=encoder, registry=source, images=False))[-1]
    assert (done.writers, done.references, done.left_out) == (4, 9, 1)
    assert pq.read_table(file)["writer_id"].to_pylist().count("C-9") == 1


def rewritten(file: Path, header: dict[str, Any] | None = None, **columns: Any) -> Path:
    """Write a file again with another header, or with other values (row, value) in columns."""
    table = pq.read_table(file)
    said = json.loads(table.schema.metadata[b"countersign"]) | (header or {})
    for name, (row, value) in columns.items():
        values = table[name].to_pylist()
        values[row] = value
        place = table.schema.get_field_index(name)
        changed = pa.array(values, table.schema.field(name).type)
        table = table.set_column(place, table.schema.field(name), changed)
    metadata = {b"countersign": json.dumps(said).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), file)
    return file


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("writer_id", "no id", "invalid-writer-id"),
        ("writer_id", None, "invalid-writer-id"),
        ("name", "a\x00b", "invalid-name"),
        ("name", "a" * 201, "invalid-name"),
        ("sha256", "F" * 64, "invalid-sha256"),
        ("sha256", None, "invalid-sha256"),
        ("sha256", "0" * 64, "damaged-image"),
        ("media_type", "text/html", "unsupported-format"),
        ("media_type", None, "unsupported-format"),
        ("quality", None, "invalid-quality"),
        ("quality", "[]", "invalid-quality"),
        ("quality", "{}", "invalid-quality"),
        ("quality", "[" * 5000, "invalid-quality"),
        ("quality", json.dumps(QUALITY | {"contrast": float("nan")}), "invalid-quality"),
        ("quality", json.dumps(QUALITY | {"warnings": "none"}), "invalid-quality"),
        ("image", b"another", "damaged-image"),
        ("image", bytes(11 * 2**20), "too-many-bytes"),
        ("cleaned_png", b"<svg>", "invalid-preview"),
        ("vector", None, "invalid-vector"),
        ("vector", [0.5] * 576, "invalid-vector"),
        ("vector", [float("nan")] + [0.0] * 575, "invalid-vector"),
        ("vector", [None] + [0.0] * 575, "invalid-vector"),
        ("pieces", None, "invalid-pieces"),
        ("pieces", bytes(51), "invalid-pieces"),
        ("pieces", bytes(26 * 2521), "invalid-pieces"),
        ("pieces", b"\x7f" * 24 + b"\x01\x01", "invalid-pieces"),
        ("pieces", bytes(24) + b"\xff\x01", "invalid-pieces"),
    ],
)
def test_rows_that_cannot_be_kept_are_refused_and_the_rest_goes_on(
    *,
    source: Registry,
    target: Registry,
    encoder: Encoder,
    export: Any,
    bring_in: Any,
    column: str,
    value: Any,
    code: str,
) -> None:
    file = rewritten(export(source), **{column: (4, value)})
    done = bring_in(file, target)
    assert [(one.filename, one.code) for one in done.refused] == [("row 5", code)]
    assert done.enrolled == 8
    kept = held(source, encoder)
    assert held(target, encoder) == kept[:4] + kept[5:]


def without_pieces(file: Path, header: dict[str, Any]) -> Path:
    """Write a file again as if its model knew no pieces."""
    table = pq.read_table(file)
    place = table.schema.get_field_index("pieces")
    nothing = pa.nulls(table.num_rows, pa.binary())
    pq.write_table(table.set_column(place, "pieces", nothing), file)
    return rewritten(file, header)


def test_a_file_of_the_format_without_pieces_is_refused_with_what_to_do(
    source: Registry, target: Registry, export: Any, bring_in: Any
) -> None:
    file = rewritten(export(source), {"format": "countersign gallery 1"})
    older = pq.read_table(file).drop(["pieces"])
    pq.write_table(older, file)
    with pytest.raises(InvalidInput, match=r"gallery 1', which lacks the pieces.*Export it again"):
        bring_in(file, target)
    assert target.writers.page().writers == ()


def test_a_model_gets_references_with_pieces_or_without_as_it_describes_them(
    *,
    source: Registry,
    target: Registry,
    encoder: Encoder,
    export: Any,
    bring_in: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a claim holds has pieces of all references or of none, however it was imported."""
    bare = without_pieces(export(source, name="bare.parquet"), {})
    assert {one.code for one in bring_in(bare, target).refused} == {"invalid-pieces"}
    assert [one.writer_id for one in target.writers.page().writers] == ["C-9"]
    monkeypatch.setattr(Encoder, "knows_pieces", property(lambda _: False))
    refused = bring_in(export(source), target).refused
    assert {one.code for one in refused} == {"invalid-pieces"}
    assert "knows none" in refused[0].reason
    assert bring_in(bare, target).enrolled == 9
    assert target.embeddings.claim("C-1", encoder.model_id).pieces is None


def test_vectors_of_another_model_are_refused_but_images_are_encoded_anew(
    source: Registry, target: Registry, encoder: Encoder, export: Any, bring_in: Any
) -> None:
    other = {"model_id": "b" * 64, "model_name": "other", "dimension": encoder.dimension}
    without = rewritten(export(source, images=False, name="without.parquet"), other)
    with pytest.raises(InvalidInput, match=r"vectors of the model 'other'.*--images"):
        bring_in(without, target)
    assert target.writers.page().writers == ()
    damaged = {"image": (4, b"another"), "writer_id": (5, "no id")}
    file = rewritten(export(source), other, **damaged)
    done = bring_in(file, target)
    assert (done.files, done.enrolled) == (10, 7)
    assert [one.code for one in done.refused] == ["damaged-image", "invalid-writer-id"]
    assert {one.writer_id: one.name for one in target.writers.page().writers} == {
        one.writer_id: one.name for one in source.writers.page().writers
    }
    ours, theirs = (
        registry.embeddings.claim("C-1", encoder.model_id) for registry in (target, source)
    )
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-5)
    for one, other in zip(ours.pieces, theirs.pieces, strict=True):
        np.testing.assert_allclose(unpack(one), unpack(other), atol=1)
    assert bring_in(file, target).already_there == 7


def test_files_that_are_no_gallery(
    source: Registry, target: Registry, encoder: Encoder, export: Any, bring_in: Any, tmp_path: Path
) -> None:
    file = export(source)
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    short = pq.read_table(file).drop(["sha256"])
    for content, words in (
        (whole[: len(whole) // 2], "as Parquet"),
        (b"", "as Parquet"),
        (bytes(flipped), "is damaged"),
        (foreign.read_bytes(), "no gallery was exported"),
    ):
        file.write_bytes(content)
        with pytest.raises(InvalidInput, match=words):
            bring_in(file, target)
    pq.write_table(short, file)
    with pytest.raises(InvalidInput, match="columns are others"):
        bring_in(file, target)
    for header, words in (
        ({"dimension": 64}, "columns are others"),
        ({"dimension": 2**40}, "it says that it is"),
        ({"format": "countersign gallery 3"}, "it says that it is 'countersign gallery 3'"),
        ({"revision": "1"}, "it says"),
        ({"more": 1}, "what it says of itself"),
    ):
        file.write_bytes(whole)
        with pytest.raises(InvalidInput, match=words):
            bring_in(rewritten(file, header), target)
    assert target.writers.page().writers == ()
