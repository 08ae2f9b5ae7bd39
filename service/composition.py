"""The composition root: builds registry, encoder and gallery from settings, and closes them.

Nothing is built at import. A server calls `build_services` after it has forked: a FAISS index that
was searched before a fork hangs in the child.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy.engine import make_url

from encoder.inference.encoder import Encoder
from index.milvus.address import is_milvus, read_milvus_url
from index.registry.registry import Registry
from index.registry.schema_version import require_current
from index.sync.gallery_interface import Gallery
from index.sync.local_gallery import LocalGallery
from index.vectors.private_file import tighten
from index.vectors.vector_index import RecallTarget
from service.decisions.identify import neighbours_fetched
from service.errors import StartRefused
from service.models.active_model import active_artifact, open_encoder, require_embeddings
from service.models.calibrated import calibrated
from service.models.live_services import Services
from service.settings import Settings, require_allowed

logger = logging.getLogger(__name__)


def prepare_folders(settings: Settings) -> None:
    """Make the data folder, readable by its owner only: signatures are personal data.

    Files that others can read are taken from them. A folder that others can look into is told of
    and left as it is: who set COUNTERSIGN_DATA_DIR may share it with something else.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.snapshot_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.data_dir.stat().st_mode & 0o077:
        logger.warning(
            "Others can look into the data folder %s, which holds signatures; make it its owner's "
            "alone: chmod 700.",
            settings.data_dir,
        )
    url = make_url(settings.database_url)
    own = [settings.snapshot_dir, *settings.snapshot_dir.iterdir()]
    if url.get_backend_name() == "sqlite":
        database = Path(str(url.database))
        own += database.parent.glob(f"{database.name}*")
    for path in own:
        _tighten_or_warn(path)


def _tighten_or_warn(path: Path) -> None:
    try:
        if tighten(path):
            logger.warning("Others could read %s; it is its owner's alone now.", path)
    except FileNotFoundError:
        return  # Another process has replaced it.
    except OSError as error:
        logger.warning("Others may read %s, which cannot be changed: %s.", path, error.strerror)


def build_services(settings: Settings) -> Services:
    """Build and warm up everything; after it returns, the first request is as quick as the next.

    Raises:
        SettingsError: settings that are not allowed together.
        SchemaMismatch: the registry's schema is not this version's (`countersign db upgrade`).
        StartRefused: references lack embeddings of the model (`countersign index rebuild`);
            COUNTERSIGN_MODEL is another model than the registry's active one; or the client of
            the index's server is not installed.
        IndexUnavailable: the index's server cannot be reached.
        ArtifactError: the model cannot be loaded.
    """
    require_allowed(settings)
    registry, encoder = _build_registry(settings)
    with ExitStack() as unfinished:
        unfinished.callback(registry.close)
        require_embeddings(registry, encoder)
        gallery = build_gallery(settings, registry, encoder)
        opened = gallery.open()
        by = calibrated(encoder, registry)
        services = Services(settings, registry, gallery, encoder, opened, by.in_use).deciding(by)
        warm_up(services)
        unfinished.pop_all()  # From here on, the caller closes the services.
    return services


@contextmanager
def open_registry(settings: Settings) -> Iterator[tuple[Registry, Encoder]]:
    """Build registry and encoder without the index, for what needs no search; closed at the end.

    Unlike a server, this works while references wait for embeddings of the model.

    Raises:
        SchemaMismatch: the registry's schema is not this version's (`countersign db upgrade`).
        StartRefused: COUNTERSIGN_MODEL is another model than the registry's active one.
        ArtifactError: the model cannot be loaded.
    """
    registry, encoder = _build_registry(settings)
    with closing(registry):
        yield registry, calibrated(encoder, registry).encoder


@contextmanager
def open_registry_alone(settings: Settings) -> Iterator[Registry]:
    """Build the registry without a model, to look at its models or to change them.

    Raises:
        SchemaMismatch: the registry's schema is not this version's (`countersign db upgrade`).
    """
    prepare_folders(settings)
    require_current(settings.database_url)
    with closing(Registry(settings.database_url)) as registry:
        yield registry


def build_gallery(settings: Settings, registry: Registry, encoder: Encoder) -> Gallery:
    """Build the index of the encoder's embeddings, not yet usable: `open` or `rebuild` fills it.

    Raises:
        StartRefused: the index is a Milvus server's, and the client is not installed.
        IndexUnavailable: the server cannot be reached.
    """
    if is_milvus(settings.index_url):
        return _build_shared_gallery(settings, registry, encoder)
    return LocalGallery(
        registry,
        encoder.model_id,
        encoder.index_dimension,
        settings.snapshot_dir,
        settings.index_ivf_from,
        recall_target(settings),
    )


def recall_target(settings: Settings) -> RecallTarget:
    """Return what an approximate index is tuned to: what an identification asks of it."""
    return RecallTarget(fetched=neighbours_fetched(), nearest=settings.index_nearest)


def build_model(settings: Settings, registry: Registry, model_id: str) -> tuple[Encoder, Gallery]:
    """Load a model that the registry knows, and build its index, which is not open yet.

    Raises:
        ArtifactError: the model cannot be loaded.
    """
    encoder = open_encoder(settings.model, registry, model_id)
    return encoder, build_gallery(settings, registry, encoder)


def with_model(services: Services, model_id: str) -> Services:
    """Open another model's encoder and index beside those of `services`, warmed up.

    Raises:
        ArtifactError: the model cannot be loaded.
        RegistryUnavailable: the registry cannot be read.
    """
    encoder, gallery = build_model(services.settings, services.registry, model_id)
    opened = gallery.open()
    other = replace(services, gallery=gallery, opened=opened)
    other = other.deciding(calibrated(encoder, services.registry))
    warm_up(other)
    return other


def _build_shared_gallery(settings: Settings, registry: Registry, encoder: Encoder) -> Gallery:
    try:
        # An extra, and a second to load.
        from index.milvus.shared_gallery import SharedGallery  # noqa: PLC0415
    except ImportError as error:
        raise StartRefused(
            f"COUNTERSIGN_INDEX_URL names a Milvus server, whose client is missing ({error.name}). "
            "Install Countersign with the extra `milvus`: pip install 'countersign[milvus]'."
        ) from error
    address = read_milvus_url(settings.index_url)
    return SharedGallery(registry, encoder.model_id, encoder.index_dimension, address)


def _build_registry(settings: Settings) -> tuple[Registry, Encoder]:
    prepare_folders(settings)
    require_current(settings.database_url)
    with ExitStack() as unfinished:
        registry = Registry(settings.database_url)
        unfinished.callback(registry.close)
        encoder = Encoder(active_artifact(settings.model, registry))
        unfinished.pop_all()
    return registry, encoder


def warm_up(services: Services) -> None:
    """Describe and search once, so that no caller pays for lazy initialisation."""
    blank = np.zeros((1, *services.encoder.canvas_size), dtype=np.uint8)
    services.gallery.search(services.encoder.describe(blank).vectors, 1)
