"""The composition root: builds registry, encoder and gallery from settings, and closes them.

Nothing is built at import. A server calls `build_services` after it has forked: a FAISS index that
was searched before a fork hangs in the child.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from encoder.errors import ArtifactError
from encoder.inference.artifact import Artifact, read_artifact, restore_artifact
from encoder.inference.encoder import Encoder
from index.milvus.address import is_milvus, read_milvus_url
from index.registry.models import ModelFiles
from index.registry.registry import Registry
from index.registry.schema_version import require_current
from index.sync.gallery_interface import AnyGallery, OpenReport
from index.sync.local_gallery import Gallery
from service.errors import StartRefused
from service.settings import Settings, require_allowed


@dataclass(frozen=True)
class Services:
    """What the stories work with, in one process: one model's encoder and index."""

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


@contextmanager
def open_registry_alone(settings: Settings) -> Iterator[Registry]:
    """Build the registry without a model, to look at its models or to change them.

    Raises:
        SchemaMismatch: as `build_services`.
    """
    prepare_folders(settings)
    require_current(settings.database_url)
    with closing(Registry(settings.database_url)) as registry:
        yield registry


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
        settings.index_nearest,
    )


def with_model(services: Services, model_id: str) -> Services:
    """Open another model's encoder and index beside those of `services`, warmed up.

    Raises:
        ArtifactError: the model cannot be loaded.
        RegistryUnavailable: the registry cannot be read.
    """
    encoder = open_encoder(services.settings, services.registry, model_id)
    gallery = build_gallery(services.settings, services.registry, encoder)
    other = replace(services, encoder=encoder, gallery=gallery, opened=gallery.open())
    warm_up(other)
    return other


def open_encoder(settings: Settings, registry: Registry, model_id: str) -> Encoder:
    """Load a model that the registry knows: the folder in the settings, if it is this model.

    That one may have been calibrated anew, which leaves its id as it is. Any other model is read
    from the files that the registry keeps.

    Raises:
        ArtifactError: it cannot be loaded, or the registry has no files of it.
    """
    try:
        own = read_artifact(settings.model)
    except ArtifactError:  # The folder may be gone since the start.
        own = None
    if own is not None and own.model_id == model_id:
        return Encoder(own)
    return Encoder(_kept_artifact(registry, model_id))


def keep_model(artifact: Artifact, registry: Registry) -> None:
    """Make a model known to the registry, with its files, so that every server can open it."""
    registry.models.register(artifact.model_id, artifact.name, artifact.dimension)
    registry.models.keep(artifact.model_id, ModelFiles(*artifact.as_bytes()))


def _build_shared_gallery(settings: Settings, registry: Registry, encoder: Encoder) -> AnyGallery:
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
    own = read_artifact(settings.model)
    with ExitStack() as unfinished:
        registry = Registry(settings.database_url)
        unfinished.callback(registry.close)
        active = registry.models.active() or _begin(own, registry)
        if active in {None, own.model_id}:
            artifact = own
        elif settings.model is None:
            artifact = _active_artifact(registry, str(active), own)
        else:
            raise StartRefused(
                f"COUNTERSIGN_MODEL names the model {own.name!r} ({own.model_id[:12]}), and the "
                f"registry's active model is {str(active)[:12]}. The registry decides; the "
                "variable says only what a new registry begins with. Unset it. To change the "
                "model, run `countersign reencode --model FOLDER` and `countersign model switch`."
            )
        encoder = Encoder(artifact)
        unfinished.pop_all()
    return registry, encoder


def _begin(own: Artifact, registry: Registry) -> str | None:
    """Make this process's model the active one of a registry that has none."""
    keep_model(own, registry)
    return registry.models.begin(own.model_id, "start")


def _active_artifact(registry: Registry, model_id: str, own: Artifact) -> Artifact:
    """The registry's active model; one made for an older version is refused, with the way out."""
    try:
        return _kept_artifact(registry, model_id)
    except ArtifactError as error:
        raise StartRefused(
            f"The registry's active model cannot be used: {error} To change to the model that "
            "comes with this version, run `countersign reencode`, then "
            f"`countersign model switch {own.model_id[:12]}`."
        ) from error


def _kept_artifact(registry: Registry, model_id: str) -> Artifact:
    files = registry.models.files(model_id)
    if files is None:
        raise ArtifactError(
            f"The registry has no files of the model {model_id[:12]}. Run `countersign reencode "
            "--model FOLDER` with the folder that it came from."
        )
    source = f"the registry's copy of the model {model_id[:12]}"
    return restore_artifact(files.manifest, files.network, source)


def require_embeddings(registry: Registry, encoder: Encoder) -> None:
    """Refuse to serve references that this model has never seen: they could not be found.

    Raises:
        StartRefused: naming the command that embeds them.
    """
    if registry.embeddings.missing(encoder.model_id, limit=1):
        raise StartRefused(
            f"The registry holds references that the model {encoder.name!r} "
            f"({encoder.model_id[:12]}) has not embedded yet. "
            "Run `countersign index rebuild`, then start again."
        )


def warm_up(services: Services) -> None:
    """Describe and search once, so that no caller pays for lazy initialisation."""
    blank = np.zeros((1, *services.encoder.canvas_size), dtype=np.uint8)
    services.gallery.search(services.encoder.describe(blank).vectors, 1)
