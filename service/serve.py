"""Runs the production server: granian's workers, each with services of its own, built after fork.

A worker takes no request before it has embedded and searched once; on SIGTERM or SIGINT it finishes
the requests it has, and saves its index.
"""

import gc
import logging
import socket
import sys
from dataclasses import replace
from functools import partial
from multiprocessing.util import Finalize

from apiflask import APIFlask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from encoder.errors import EncoderError
from index.errors import GalleryError
from index.registry.schema_version import require_current
from service.api.context import live_services
from service.app import create_app
from service.composition import build_services, prepare_folders
from service.errors import ServiceError, StartRefused
from service.logs import configure_logging
from service.settings import Settings, read_settings, require_allowed

logger = logging.getLogger(__name__)

# How long a worker may take to finish its requests and to save its index when asked to stop.
STOP_TIMEOUT_S = 30
BACKLOG = 1024


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: settings that are not allowed together.
        SchemaMismatch: the registry needs `countersign db upgrade`.
        StartRefused: the address is taken, or is not one of this machine's.
        SystemExit: a worker could not start; it has said why.
    """
    require_allowed(settings)
    prepare_folders(settings)
    require_current(settings.database_url)
    address = free_address(settings)
    server = Server(
        target="service.serve",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backlog=BACKLOG,
        log_level=LogLevels.warning,
        workers_kill_timeout=STOP_TIMEOUT_S,
    )
    server.serve(target_loader=partial(start_worker, settings), wrap_loader=False)


def free_address(settings: Settings) -> str:
    """Return the IP address to listen on, where nobody listens yet.

    Two servers on one address would share callers.

    Raises:
        StartRefused: saying what to set.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections of an earlier run that are still closing do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StartRefused(
            f"The server cannot listen on {settings.host} port {settings.port}: "
            f"{error.strerror}. Stop the program that does, or set COUNTERSIGN_HOST and "
            "COUNTERSIGN_PORT to a free address."
        ) from error
    number = str(address[0])
    # What `localhost` stands for is this machine's own affair, and could be any address.
    require_allowed(replace(settings, host=number))
    return number


def start_worker(settings: Settings) -> APIFlask:
    """Build this worker's services and application; called in the worker, after the fork.

    Raises:
        SystemExit: the services cannot be built; the reason is on standard error.
    """
    configure_logging(settings.log_level)
    try:
        services = build_services(settings)
    except (EncoderError, GalleryError, ServiceError) as error:
        print(f"Cannot start: {error}", file=sys.stderr)  # noqa: T201  # The operator's terminal.
        raise SystemExit(1) from None
    app = create_app(services)
    # The worker ends through multiprocessing's finalizers; `atexit` is not honoured there.
    Finalize(app, live_services(app).close, exitpriority=10)
    opened = services.opened
    logger.info(
        "ready at http://%s:%d, index source=%s applied=%d reason=%s",
        settings.host,
        settings.port,
        opened.source,
        opened.applied,
        opened.reason,
    )
    # All of this lives as long as the worker. Python's garbage collector would look through it
    # again and again, for 5 ms each time, while a request waits.
    gc.collect()
    gc.freeze()
    return app


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
