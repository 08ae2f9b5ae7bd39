"""One process of the server: its services, built after the fork, and its event loop."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from apiflask import APIFlask
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from encoder.errors import EncoderError
from index.errors import GalleryError
from service.api.access.checks import may_send
from service.api.context import live_services, refusals
from service.app import create_app
from service.audit.started import note_start
from service.composition import build_services
from service.errors import ServiceError
from service.logs import configure_logging
from service.observability.metrics import Metrics
from service.observability.publishing import Publishing
from service.observability.shared_values import share_values
from service.server.anchoring import Anchoring
from service.server.calibrating import Calibrating
from service.server.front import Front, Limits
from service.server.purging import Purging
from service.server.retaining import Retaining
from service.server.supervisor import Heartbeat
from service.settings import Settings

logger = logging.getLogger(__name__)

BACKLOG = 1024
# Connections of one process, most of them idle; each that says nothing is closed after a while.
CONNECTIONS = 1024
HEADERS_TIMEOUT_MS = 10_000
# How long requests that are being answered may go on when the process is asked to stop.
FINISH_S = 5.0
# The last answer has left the event loop, but perhaps not the process.
FLUSH_S = 0.1
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SharedListener(Server):
    """granian on a socket that is listening already, which all processes of a server share.

    With a socket for each, the system would go on giving connections to a process that is stopped.
    HTTP/1 alone: a request of HTTP/2 whose body is shorter than its length never ends.
    """

    def __init__(
        self,
        application: Front,
        listening: socket.socket,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        super().__init__(
            application,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_TIMEOUT_MS),
            websockets=False,
            backpressure=CONNECTIONS,
            log_level=LogLevels.error,
            ssl_cert=certificate,
            ssl_key=key,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        self._listening = listening

    def _init_shared_socket(self) -> None:
        shared = SocketHolder(os.dup(self._listening.fileno()), False, BACKLOG)  # type: ignore[call-arg]  # Not as it is annotated.
        self._ssp, self._shd = None, shared  # type: ignore[assignment]


def run_worker(
    settings: Settings, listening: socket.socket, folder: Path, heartbeat: Heartbeat
) -> None:
    """Serve in this process until SIGTERM or SIGINT; the requests that it has are answered first.

    It takes none before it has embedded and searched once, and saves its index at the end. Its
    metrics are kept in `folder`, which the server's processes share.

    Raises:
        SystemExit: the services cannot be built; the reason is on standard error.
    """
    configure_logging(settings.log_level, settings.log_format)
    # Whatever is written from here on may hold something of a signature.
    os.umask(0o077)
    share_values(folder, heartbeat.place)
    metrics = Metrics(folder, heartbeat.place)
    with heartbeat.starting():
        app = build_application(settings, metrics)
    publishing = Publishing(live_services(app), metrics)
    publishing.start()
    purging = Purging(live_services(app))
    purging.start()
    retaining = Retaining(live_services(app))
    retaining.start()
    anchoring = Anchoring(live_services(app))
    if settings.audit_anchor is not None:
        anchoring.start()
    calibrating = Calibrating(live_services(app))
    if settings.calibrate != "off":
        calibrating.start()
    try:
        asyncio.run(_serve(app, metrics, settings, listening, heartbeat))
    finally:
        publishing.close()
        purging.close()
        retaining.close()
        anchoring.close()
        calibrating.close()
        refusals(app).close()
        live_services(app).close()


def build_application(settings: Settings, metrics: Metrics | None = None) -> APIFlask:
    """Build this process's services and application.

    Raises:
        SystemExit: the services cannot be built; the reason is on standard error.
    """
    try:
        services = build_services(settings)
        note_start(settings, services.registry, services.encoder.rule.rule_id)
    except (EncoderError, GalleryError, ServiceError) as error:
        print(f"Cannot start: {error}", file=sys.stderr)  # noqa: T201  # The operator's terminal.
        raise SystemExit(1) from None
    app = create_app(services, metrics)
    opened = services.opened
    told = {"source": opened.source, "applied": opened.applied, "reason": opened.reason}
    logger.info("index open", extra=told)
    # All of this lives as long as the worker. Python's garbage collector would look through it
    # again and again, for 5 ms each time, while a request waits.
    gc.collect()
    gc.freeze()
    return app


async def _serve(
    app: APIFlask,
    metrics: Metrics,
    settings: Settings,
    listening: socket.socket,
    heartbeat: Heartbeat,
) -> None:
    loop = asyncio.get_running_loop()
    limits = Limits(settings.threads, settings.body_timeout, settings.requests_per_address)
    front = Front(
        app,
        limits,
        trusted_proxies=settings.trusted_proxies,
        in_progress=metrics.in_progress,
        may_send=partial(may_send, app),
    )
    server = SharedListener(front, listening, settings.tls_cert, settings.tls_key)

    def end() -> None:
        front.close()
        server.stop()  # type: ignore[no-untyped-call]

    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, end)
    metrics.ready()
    beating = loop.create_task(heartbeat.beat_on())
    await server.serve()
    beating.cancel()
    if not await front.finish(FINISH_S):
        logger.warning("Some requests took too long to be answered; the process ends now.")
    await asyncio.sleep(FLUSH_S)
