"""Looks, before a server starts, whether it can speak TLS with the certificate that it is given."""

import ssl

from service.errors import StartRefused
from service.settings import Settings


def require_certificate(settings: Settings) -> None:
    """Return when the certificate and its key can be used, or none is asked for.

    Raises:
        StartRefused: saying which file is not as it should be.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        # A key with a passphrase would be asked for on a terminal that a server does not have.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=lambda: b""
        )
    except OSError as error:  # What the ssl module raises is one too.
        raise StartRefused(
            f"COUNTERSIGN_TLS_CERT ({settings.tls_cert}) and COUNTERSIGN_TLS_KEY "
            f"({settings.tls_key}) cannot be used: {error.strerror or error}. Expected a "
            "certificate, followed by those that vouch for it, and its own private key without a "
            "passphrase, both as PEM and readable by this user."
        ) from error
