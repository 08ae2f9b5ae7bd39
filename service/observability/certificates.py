"""Looks at the certificate that a server shows."""

from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates


def certificate_expires_s(path: Path) -> float:
    """Return when the first certificate of a PEM file expires, as Unix time in seconds.

    Raises:
        OSError: the file cannot be read.
        ValueError: there is no certificate in it.
    """
    return load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc.timestamp()
