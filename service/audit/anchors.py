"""Anchors: signed ends of the audit chain, kept where nobody who edits the database can reach them.

Whoever has an anchor and the public key can show that everything before it is as it was then. An
anchor is one line of JSON, signed with Ed25519; a file of them grows by a line each time.
"""

import base64
import json
import os
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from index.registry.audit.chain import Head
from index.registry.audit.sealing import canonical
from index.registry.registry import Registry
from service.errors import AnchorUnusable, SettingsError

FORMAT = "countersign-anchor/1"
SIGNED = ("format", "registry", "sequence", "sha256", "anchored_at", "public_key")
PUBLIC_SUFFIX = ".pub"
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Anchor:
    """A signed end of the chain of one registry."""

    registry_id: str
    head: Head
    anchored_at: str
    public_key: str
    signature: str

    def as_dict(self) -> dict[str, object]:
        """The anchor as it is written."""
        return {**_content(self), "signature": self.signature}


def create_key(file: Path, data_dir: Path) -> Path:
    """Make a key in a new file, readable by its owner alone; return the public key's file.

    Raises:
        SettingsError: it would lie in the data folder, where whoever edits the database finds it.
        FileExistsError: there is such a file.
    """
    if data_dir.resolve() in file.resolve().parents:
        raise SettingsError(
            f"Expected a file outside the data folder {data_dir}: whoever can edit the database "
            "must not be able to sign."
        )
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secret)
    public = file.with_name(file.name + PUBLIC_SUFFIX)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return public


def read_key(file: Path) -> Ed25519PrivateKey:
    """Read the key that signs.

    Raises:
        SettingsError: the file holds no such key.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"The key in {file} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            f"Expected an Ed25519 key in {file}, as `countersign audit key create` makes one; "
            "another kind came."
        )
    return key


def read_public_key(file: Path) -> str:
    """Read a public key from a PEM file; return it as anchors name it.

    Raises:
        SettingsError: the file holds no such key.
    """
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"The public key in {file} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"Expected an Ed25519 public key in {file}; another kind came.")
    return _named(key)


def make_anchor(registry: Registry, key: Ed25519PrivateKey, head: Head | None = None) -> Anchor:
    """Sign the end of the chain as it is now, or an earlier entry of it."""
    unsigned = Anchor(
        registry.registry_id(),
        registry.audit.head() if head is None else head,
        datetime.now(UTC).isoformat(timespec="seconds"),
        _named(key.public_key()),
        "",
    )
    signature = key.sign(canonical(_content(unsigned)).encode())
    return Anchor(
        unsigned.registry_id,
        unsigned.head,
        unsigned.anchored_at,
        unsigned.public_key,
        base64.b64encode(signature).decode(),
    )


def write_anchor(anchor: Anchor, destination: str) -> None:
    """Append an anchor to a file, durably, or send it to a URL by POST.

    Raises:
        OSError: it cannot be written, or the server there does not take it.
    """
    line = json.dumps(anchor.as_dict()) + "\n"
    if destination.startswith(("https://", "http://")):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310  # Of http or https, as just seen.
            destination, line.encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310  # As above.
            return
    with Path(destination).open("a", encoding="utf-8") as stream:
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read_anchors(lines: Iterable[str], public_key: str | None) -> list[Anchor]:
    """Read anchors and check their signatures.

    Args:
        lines: of a file of anchors.
        public_key: as `read_public_key` gives it; None trusts the one that the anchors name.

    Raises:
        AnchorUnusable: a line is no anchor, or another key signed it.
    """
    anchors = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            anchors.append(_read(line, number, public_key))
    if not anchors:
        raise AnchorUnusable("Expected at least one anchor; there is none in the file.")
    return anchors


def _read(line: str, number: int, public_key: str | None) -> Anchor:
    try:
        data = json.loads(line)
        anchor = Anchor(
            str(data["registry"]),
            Head(int(data["sequence"]), str(data["sha256"])),
            str(data["anchored_at"]),
            str(data["public_key"]),
            str(data["signature"]),
        )
        if data["format"] != FORMAT:
            raise AnchorUnusable(f"Anchor {number} is of another format: {data['format']!r}.")
        signer = Ed25519PublicKey.from_public_bytes(base64.b64decode(anchor.public_key))
        signature = base64.b64decode(anchor.signature)
    except (KeyError, TypeError, ValueError) as error:
        raise AnchorUnusable(f"Line {number} is no anchor of the audit chain.") from error
    if public_key is not None and anchor.public_key != public_key:
        raise AnchorUnusable(f"Anchor {number} was signed with another key than the one given.")
    try:
        signer.verify(signature, canonical(_content(anchor)).encode())
    except InvalidSignature as error:
        raise AnchorUnusable(
            f"Anchor {number} does not bear out its signature: it was changed after it was signed."
        ) from error
    return anchor


def _content(anchor: Anchor) -> Mapping[str, Any]:
    values = (
        FORMAT,
        anchor.registry_id,
        anchor.head.sequence,
        anchor.head.sha256,
        anchor.anchored_at,
        anchor.public_key,
    )
    return dict(zip(SIGNED, values, strict=True))


def _named(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
