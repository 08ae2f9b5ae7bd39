"""A model on disk: a folder with the network and a manifest that says what it is.

`network.onnx` serves, `network.keras` goes on training; `cohort.npz`, which a model need not have,
holds marks that anyone can make, to compare with; `manifest.json` holds sizes, hashes, the
preparation it was trained with, its data, splits, errors and decision rule. Reading checks all of
it: a damaged or foreign folder is refused, never trusted.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.errors import ArtifactError, UnusableCohort, UnusableRule
from encoder.imaging.acquire import PREPROCESSING_ID
from encoder.scoring.blocks import Blocks
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.distinctiveness import Cohort

FORMAT = 6
MANIFEST = "manifest.json"
NETWORK = "network.onnx"
KERAS_NETWORK = "network.keras"
COHORT = "cohort.npz"
ATTACHED = "attached_cohort"  # Beside a manifest that is kept elsewhere, in base64.
SHIPPED = Path(__file__).parents[1] / "models" / "lean"


@dataclass(frozen=True)
class Artifact:
    """A model folder that was read and found whole.

    Attributes:
        model_id: sha256 of network and preparation, hexadecimal: equal ids give equal embeddings.
        network: the bytes of the ONNX file.
        rule: what it decides by.
        cohort: marks that anyone can make; None where the folder has none.
        cohort_file: the bytes that it was read from.
    """

    name: str
    model_id: str
    canvas_size: tuple[int, int]
    dimension: int
    network: bytes
    rule: DecisionRule
    manifest: Mapping[str, Any]
    cohort: Cohort | None = None
    cohort_file: bytes | None = None

    def as_bytes(self) -> tuple[bytes, bytes]:
        """Manifest and network, to keep elsewhere than in a folder; `restore_artifact` reads them.

        The cohort goes with the manifest. The Keras network, which serving does not need, is left
        out.
        """
        kept = dict(self.manifest)
        if self.cohort_file is not None:
            kept[ATTACHED] = base64.b64encode(self.cohort_file).decode()
        return json.dumps(kept, ensure_ascii=False).encode(), self.network


def read_artifact(folder: Path | None = None) -> Artifact:
    """Read a model folder, the shipped one by default.

    Raises:
        ArtifactError: it is missing, incomplete, damaged, of another format, or made for another
            preparation of images than this version's.
    """
    folder = folder or SHIPPED
    manifest = read_manifest(folder)
    _require_own(manifest, str(folder))
    return _artifact(manifest, lambda files: checked_files(folder, files), str(folder))


def restore_artifact(manifest: bytes, network: bytes, source: str) -> Artifact:
    """Return a model from what `Artifact.as_bytes` gave; `source` says where from, for errors.

    Raises:
        ArtifactError: as `read_artifact`.
    """
    facts = _parsed(manifest, source)
    attached = facts.pop(ATTACHED, None)
    _require_own(facts, source)

    def checked(files: Mapping[str, Any]) -> dict[str, bytes]:
        contents = {NETWORK: network}
        if attached is not None:
            contents[COHORT] = base64.b64decode(attached)
        return {name: _checked(one, files[name], source) for name, one in contents.items()}

    return _artifact(facts, checked, source)


def _require_own(manifest: Mapping[str, Any], source: str) -> None:
    """Refuse a manifest that is damaged, or not of this version."""
    if manifest.get("format") == FORMAT - 1:
        raise ArtifactError(
            f"{source} is a model of format {FORMAT - 1}, the one before this version's {FORMAT}: "
            "it scores claims by a formula that is gone. Export it again, or use the model that "
            "ships with this version."
        )
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"{source} is a model of format {manifest.get('format')!r}; this version reads format "
            f"{FORMAT}. Export the model again."
        )
    if manifest.get("sha256") != manifest_sha256(manifest):
        raise ArtifactError(
            f"The {MANIFEST} of {source} is damaged: its contents are not what its own hash says. "
            "Restore the model folder."
        )
    if manifest.get("preprocessing_sha256") != PREPROCESSING_ID:
        raise ArtifactError(
            f"{source} was made for another preparation of images than this version's. "
            "Train or export it again with this version, or install the version it was made with."
        )


def _artifact(
    manifest: Mapping[str, Any],
    contents_of: Callable[[Mapping[str, Any]], Mapping[str, bytes]],
    source: str,
) -> Artifact:
    try:
        contents = contents_of(manifest["files"])
        cohort_file, dimension = contents.get(COHORT), manifest["dimension"]
        return Artifact(
            name=manifest["name"],
            model_id=model_id(manifest),
            canvas_size=(manifest["canvas_size"][0], manifest["canvas_size"][1]),
            dimension=dimension,
            network=contents[NETWORK],
            rule=_rule(manifest),
            manifest=manifest,
            cohort=None if cohort_file is None else Cohort.from_bytes(cohort_file, dimension),
            cohort_file=cohort_file,
        )
    except UnusableRule as error:
        raise ArtifactError(f"The manifest of {source} cannot be used. {error}") from error
    except UnusableCohort as error:
        raise ArtifactError(f"{COHORT} of {source} cannot be used. {error}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The manifest of {source} lacks or garbles {error}.") from error


def write_artifact(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write a model folder; the manifest comes last, so that a torn write is no model.

    Args:
        folder: made if missing; a model already there is replaced.
        files: contents by file name, `network.onnx` among them.
        facts: the rest of the manifest: name, canvas_size, dimension, blocks, decision rule and
            what is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, NETWORK, KERAS_NETWORK, COHORT):
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = {
        "format": FORMAT,
        "files": {name: _facts_of(content) for name, content in files.items()},
        # Whatever the id looks like, the key is the one by which model folders are read.
        "preprocessing_sha256": PREPROCESSING_ID,
        **facts,
    }
    manifest["sha256"] = manifest_sha256(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def put_cohort(folder: Path, content: bytes) -> None:
    """Put a cohort into a model folder that is whole; its id stays as it is."""
    (folder / COHORT).write_bytes(content)
    files = {**read_manifest(folder)["files"], COHORT: _facts_of(content)}
    replace_facts(folder, {"files": files})


def replace_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Put other facts into the manifest of a model folder that is whole; its network stays.

    The former manifest is there until the new one has reached the disk.
    """
    manifest = {**read_manifest(folder), **facts}
    manifest["sha256"] = manifest_sha256(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    temporary = folder / f"{MANIFEST}.new"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)


def model_id(manifest: Mapping[str, Any]) -> str:
    """The identity of a model's embeddings: its network and its preparation of images."""
    network = manifest["files"][NETWORK]["sha256"]
    return sha256(f"{network} {manifest['preprocessing_sha256']}".encode())


def manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """The hash of all that a manifest says but this hash."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return sha256(json.dumps(content, sort_keys=True).encode())


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _facts_of(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": sha256(content)}


def _rule(manifest: Mapping[str, Any]) -> DecisionRule:
    """The manifest's rule, which fits its embeddings."""
    blocks = Blocks.from_dict(manifest["blocks"], manifest["dimension"])
    return DecisionRule.from_dict(manifest["decision"], blocks)


def checked_files(folder: Path, files: Mapping[str, Any]) -> dict[str, bytes]:
    """Contents by name of the files that a manifest names, each checked against its hash."""
    contents = {}
    for name, facts in files.items():
        contents[name] = _checked(_read_file(folder / name), facts, str(folder / name))
    return contents


def _checked(content: bytes, facts: Mapping[str, Any], source: str) -> bytes:
    if len(content) != facts["bytes"] or sha256(content) != facts["sha256"]:
        raise ArtifactError(
            f"{source} is damaged: its contents are not what the manifest says. "
            "Restore the model folder."
        )
    return content


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest of a model folder says, of whatever format; nothing is checked yet.

    Raises:
        ArtifactError: it is missing, or no JSON object.
    """
    return _parsed(_read_file(folder / MANIFEST), str(folder / MANIFEST))


def _parsed(content: bytes, source: str) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{source} is damaged: it is not JSON.") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{source} is damaged: it is not a JSON object.")
    return manifest


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); expected a model folder with {MANIFEST} "
            f"and {NETWORK}."
        ) from error
