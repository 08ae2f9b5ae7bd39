"""What is built is closed again, also where building stops half way."""

import json
import os

import numpy as np
import pytest

from encoder.inference.artifact import manifest_sha256, model_id, read_artifact
from index.registry.models import ModelFiles
from index.registry.references import NewReference
from index.registry.registry import Registry
from service.composition import build_services, open_registry, prepare_folders
from service.errors import StartRefused


@pytest.fixture
def closed(monkeypatch):
    """Count the registries that were closed."""
    registries = []
    close = Registry.close

    def closing(registry):
        registries.append(registry)
        close(registry)

    monkeypatch.setattr(Registry, "close", closing)
    return registries


def enroll_under_another_model(registry):
    registry.models.register("another", "another", 4)
    vector = np.eye(1, 4, dtype=np.float32)[0]
    registry.writers.create(
        "C-1", "", "another", [NewReference(b"x", "image/png", b"x", "0" * 64, {}, vector)]
    )


def test_a_refused_start_leaves_no_connection(settings, closed):
    registry = Registry(settings.database_url)
    enroll_under_another_model(registry)
    registry.close()
    with open_registry(settings) as (registry, _):
        assert registry.models.active() is None
    assert len(closed) == 2
    with pytest.raises(StartRefused):
        build_services(settings)
    assert len(closed) == 3


def test_services_are_open_until_they_are_closed(settings, closed):
    services = build_services(settings)
    assert not closed
    services.close()
    assert closed == [services.registry]


def test_an_active_model_of_an_older_version_is_refused_with_the_way_out(settings):
    shipped = read_artifact()
    manifest = {**shipped.manifest, "preprocessing_sha256": "0" * 64}
    manifest["sha256"] = manifest_sha256(manifest)
    older = model_id(manifest)
    registry = Registry(settings.database_url)
    registry.models.register(older, "older", shipped.dimension)
    registry.models.keep(older, ModelFiles(json.dumps(manifest).encode(), shipped.network))
    registry.models.begin(older, "start")
    registry.close()
    with pytest.raises(StartRefused, match=f"model switch {shipped.model_id[:12]}"):
        build_services(settings)


def test_the_index_is_tuned_for_what_an_identification_asks_of_it(
    services, ask, uploads, monkeypatch
):
    asked = []
    search = services.gallery.search

    def searched(probes, k):
        asked.append(k)
        return search(probes, k)

    monkeypatch.setattr(services.gallery, "search", searched)
    ask(*uploads(1, 0))
    assert asked[0] == services.gallery._target.fetched


def test_all_files_of_an_installation_are_its_owners_alone(settings, uploads, known, services):
    os.umask(0o022)
    known(1, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()
    services.registry.keep_reserve()
    paths = [settings.data_dir, *settings.data_dir.rglob("*")]
    assert {"manifest.json", "registry.db", "registry.db-wal", "registry.db-reserve"} <= {
        path.name for path in paths
    }
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_what_is_laxer_is_tightened_and_a_lax_folder_told(settings, caplog):
    (settings.snapshot_dir / "manifest.json").write_text("{}")
    lax = [settings.data_dir / "registry.db", settings.snapshot_dir / "manifest.json"]
    for path in (*lax, settings.snapshot_dir):
        path.chmod(0o755)
    prepare_folders(settings)
    assert {path.stat().st_mode & 0o077 for path in (*lax, settings.snapshot_dir)} == {0}
    assert caplog.text.count("its owner's alone now") == 3
    caplog.clear()
    settings.data_dir.chmod(0o755)
    prepare_folders(settings)
    assert "chmod 700" in caplog.text
    assert settings.data_dir.stat().st_mode & 0o777 == 0o755  # Whoever named it may share it.
