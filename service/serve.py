"""Runs the production server: one listening socket, and the processes that answer on it."""

import logging
import socket
from contextlib import closing
from dataclasses import replace
from functools import partial

from index.errors import GalleryError
from index.registry.registry import Registry
from index.registry.schema_version import require_current
from service.composition import prepare_folders
from service.errors import ServiceError, StartRefused
from service.logs import configure_logging
from service.observability.shared_values import folder_of_metrics, forget_living
from service.server.supervisor import Supervisor
from service.server.tls import require_certificate
from service.server.worker import BACKLOG, run_worker
from service.settings import Settings, read_settings, require_allowed
from service.version import VERSION

# Also where this module is the program, whose name is another.
logger = logging.getLogger("service.serve")


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: settings that are not allowed together.
        SchemaMismatch: the registry needs `countersign db upgrade`.
        StartRefused: the address is taken, or is not one of this machine's; the certificate cannot
            be used.
        SystemExit: a worker could not start; it has said why.
    """
    require_allowed(settings)
    configure_logging(settings.log_level, settings.log_format)
    prepare_folders(settings)
    require_current(settings.database_url)
    require_certificate(settings)
    tell_if_nobody_can_call(settings)
    with closing(listen(settings)) as listening, folder_of_metrics(settings.data_dir) as folder:
        address = f"{settings.scheme}://{in_url(settings.host)}:{settings.port}"
        told = {"version": VERSION, "address": address, "workers": settings.workers}
        logger.info("starting", extra=told)
        work = partial(run_worker, settings, listening, folder)
        code = Supervisor(work, settings.workers, partial(forget_living, folder)).run()
    logger.info("stopped", extra={"exit_code": code})
    if code:
        raise SystemExit(code)


def in_url(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def tell_if_nobody_can_call(settings: Settings) -> None:
    """Log how to make the first user or key, where callers must show who they are."""
    if settings.auth == "off":
        return
    with closing(Registry(settings.database_url)) as registry:
        if not (registry.users.all() or registry.keys.all()):
            logger.warning(
                "Nobody can call yet: there is no user and no key. Run `countersign users add NAME "
                "--role admin` for a person, or `countersign keys create NAME --scopes ...` for a "
                "program, with the same settings as this server."
            )


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on the address of the settings, where nobody else does.

    Raises:
        SettingsError: `localhost` stands for an address that other machines can reach.
        StartRefused: saying what to set.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        # What `localhost` stands for is this machine's own affair, and could be any address.
        require_allowed(replace(settings, host=str(address[0])))
        return _bound(family, address)
    except OSError as error:
        raise StartRefused(
            f"The server cannot listen on {settings.host} port {settings.port}: "
            f"{error.strerror}. Stop the program that does, or set COUNTERSIGN_HOST and "
            "COUNTERSIGN_PORT to a free address."
        ) from error


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an earlier run that are still closing do not count.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def main() -> None:
    """Serve with the settings of the environment; `countersign serve` does the same.

    Raises:
        SystemExit: it cannot start; the message says why.
    """
    try:
        serve(read_settings())
    except (GalleryError, ServiceError) as error:
        raise SystemExit(f"Cannot start: {error}") from error


if __name__ == "__main__":
    main()
