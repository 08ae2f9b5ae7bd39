"""Which model answers: the registry decides; the settings say only what a new one begins with."""

from pathlib import Path

from encoder.errors import ArtifactError
from encoder.inference.artifact import Artifact, read_artifact, restore_artifact
from encoder.inference.encoder import Encoder
from index.registry.models import ModelFiles
from index.registry.registry import Registry
from service.errors import StartRefused


def active_artifact(folder: Path | None, registry: Registry) -> Artifact:
    """Return the registry's active model; of a registry that has none, make `folder`'s it.

    Args:
        folder: the model that the settings name; None is the one that ships.
        registry: where the active model's name and files are.

    Raises:
        ArtifactError: the folder's model cannot be used.
        StartRefused: `folder` names another model than the active one, or the active one was made
            for an older version.
    """
    own = read_artifact(folder)
    active = registry.models.active() or _begin(own, registry)
    if active in {None, own.model_id}:
        return own
    if folder is None:
        return _kept_or_refused(registry, str(active), own)
    raise StartRefused(
        f"COUNTERSIGN_MODEL names the model {own.name!r} ({own.model_id[:12]}), and the "
        f"registry's active model is {str(active)[:12]}. The registry decides; the "
        "variable says only what a new registry begins with. Unset it. To change the "
        "model, run `countersign reencode --model FOLDER` and `countersign model switch`."
    )


def open_encoder(folder: Path | None, registry: Registry, model_id: str) -> Encoder:
    """Load a model that the registry knows: `folder`, if it holds this model.

    That one may have been calibrated anew, which leaves its id as it is. Any other model is read
    from the files that the registry keeps.

    Raises:
        ArtifactError: it cannot be loaded, or the registry has no files of it.
    """
    try:
        own = read_artifact(folder)
    except ArtifactError:  # The folder may be gone since the start.
        own = None
    if own is not None and own.model_id == model_id:
        return Encoder(own)
    return Encoder(_kept_artifact(registry, model_id))


def keep_model(artifact: Artifact, registry: Registry) -> None:
    """Make a model known to the registry, with its files, so that every server can open it."""
    registry.models.register(artifact.model_id, artifact.name, artifact.dimension)
    registry.models.keep(artifact.model_id, ModelFiles(*artifact.as_bytes()))


def _begin(own: Artifact, registry: Registry) -> str | None:
    """Make this process's model the active one of a registry that has none."""
    keep_model(own, registry)
    return registry.models.begin(own.model_id, "start")


def _kept_or_refused(registry: Registry, model_id: str, own: Artifact) -> Artifact:
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
