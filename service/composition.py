"""The composition root: builds registry, encoder and gallery from settings, and closes them.

Nothing is built at import. A server calls `build_services` after it has forked: a FAISS index that
was searched before a fork hangs in the child.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import numpy as np

from encoder.model import Encoder, load_encoder
from index.any_gallery import AnyGallery
from index.gallery import Gallery
from index.migrate import require_current
from index.milvus_address import is_milvus, read_milvus_url
from index.registry import Registry
from index.values import OpenReport
from service.errors import StartRefused
from service.settings import Settings, require_allowed


@dataclass(frozen=True)
class Services:
    """What the stories work with, in one process."""

    settings: Settings
    registry: Registry
    gallery: AnyGallery
    encoder: Encoder
    opened: OpenReport

    def close(self) -> None:
        """Let go of all; an index of this process's own is saved for the next start."""
        self.gallery.close()
        self.registry.close()


def prepare_folders(settings: Settings) -> None:
    """Make the data folder, readable by its owner only: signatures are personal data."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.snapshot_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def build_services(settings: Settings) -> Services:
    """Build and warm up everything; after it returns, the first request is as quick as the next.

    Raises:
        SettingsError: settings that are not allowed together.
        SchemaMismatch: the registry's schema is not this version's (`countersign db upgrade`).
        StartRefused: references lack embeddings of the model (`countersign index rebuild`); the
            client of the index's server is not installed.
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
        services = Services(settings, registry, gallery, encoder, opened)
        warm_up(services)
        unfinished.pop_all()  # From here on, the caller closes the services.
    return services


@contextmanager
def open_registry(settings: Settings) -> Iterator[tuple[Registry, Encoder]]:
    """Build registry and encoder without the index, for what needs no search; closed at the end.

    Unlike a server, this works while references wait for embeddings of the model.

    Raises:
        SchemaMismatch, ArtifactError: as `build_services`.
    """
    registry, encoder = _build_registry(settings)
    with closing(registry):
        yield registry, encoder


def build_gallery(settings: Settings, registry: Registry, encoder: Encoder) -> AnyGallery:
    """Build the index of the encoder's embeddings, not yet usable: `open` or `rebuild` fills it.

    Raises:
        StartRefused: the index is a Milvus server's, and the client is not installed.
        IndexUnavailable: the server cannot be reached.
    """
    if is_milvus(settings.index_url):
        return _build_shared_gallery(settings, registry, encoder)
    return Gallery(
        registry,
        encoder.model_id,
        encoder.index_dimension,
        settings.snapshot_dir,
        settings.index_ivf_from,
    )


def _build_shared_gallery(settings: Settings, registry: Registry, encoder: Encoder) -> AnyGallery:
    try:
        # An extra, and a second to load.
        from index.shared_gallery import SharedGallery  # noqa: PLC0415
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
    encoder = load_encoder(settings.model)
    registry = Registry(settings.database_url)
    registry.register_model(encoder.model_id, encoder.name, encoder.dimension)
    return registry, encoder


def require_embeddings(registry: Registry, encoder: Encoder) -> None:
    """Refuse to serve references that this model has never seen: they could not be found.

    Raises:
        StartRefused: naming the command that embeds them.
    """
    if registry.references_without_embedding(encoder.model_id, limit=1):
        raise StartRefused(
            f"The registry holds references that the model {encoder.name!r} "
            f"({encoder.model_id[:12]}) has not embedded yet. "
            "Run `countersign index rebuild`, then start again."
        )


def warm_up(services: Services) -> None:
    """Embed and search once, so that no caller pays for lazy initialisation."""
    blank = np.zeros((1, *services.encoder.canvas_size), dtype=np.uint8)
    services.gallery.search(services.encoder.embed(blank), 1)
