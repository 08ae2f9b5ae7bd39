"""Real services on a new registry: SQLite through Alembic, FAISS, and the shipped model."""

import http.client
import io
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from werkzeug.test import encode_multipart

import service
from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.app import create_app
from service.composition import build_services, prepare_folders
from service.decisions.identify import Identification, identify
from service.logs import formatter
from service.models.live_services import Services
from service.settings import Settings, read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

Scan = Callable[[int, int], bytes]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path / "data")})
    prepare_folders(settings)
    upgrade(settings.database_url)
    return settings


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = build_services(settings)
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def _scan(seed: int, n: int) -> bytes:
    return encode_png(synthetic_writer(seed).genuine(n))


@pytest.fixture(scope="session")
def scan() -> Scan:
    """PNG bytes of the n-th genuine signature of an invented writer."""
    return _scan


@pytest.fixture(scope="session")
def uploads() -> Callable[..., list[Upload]]:
    """Uploads of the n-th genuine signatures of an invented writer."""

    def make(seed: int, *numbers: int) -> list[Upload]:
        return [Upload(f"{seed}-{n}.png", _scan(seed, n)) for n in numbers]

    return make


@pytest.fixture(scope="session")
def files() -> Callable[..., list[tuple[BytesIO, str]]]:
    """Form files, as the test client sends them, of an invented writer's signatures."""

    def make(seed: int, *numbers: int) -> list[tuple[BytesIO, str]]:
        return [(BytesIO(_scan(seed, n)), f"{seed}-{n}.png") for n in numbers]

    return make


@pytest.fixture
def known(services: Services, uploads: Callable[..., list[Upload]]) -> Callable[..., str]:
    """Enroll an invented writer with `count` references, and return the id they got."""

    def make(seed: int, count: int = 5) -> str:
        create_writer(
            f"W-{seed}",
            f"Writer {seed}",
            uploads(seed, *range(count)),
            encoder=services.encoder,
            registry=services.registry,
        )
        return f"W-{seed}"

    return make


@pytest.fixture
def ask(services: Services) -> Callable[..., Identification]:
    """Ask whose signature an upload shows."""
    return partial(
        identify,
        encoder=services.encoder,
        registry=services.registry,
        gallery=services.gallery,
    )


class Lines(io.StringIO):
    """The lines of a log, as text or, from JSON, as objects."""

    def objects(self) -> list[dict]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def _logged(form: str, level: int = logging.DEBUG) -> Iterator[Lines]:
    lines = Lines()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(formatter(form))
    logger = logging.getLogger("service")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@pytest.fixture
def logged() -> Callable[..., AbstractContextManager[Lines]]:
    """Keep what is logged, as a server writes it: `with logged("json") as lines:`."""
    return _logged


ROOT = Path(service.__file__).parent.parent
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _command(settings, port: int) -> tuple[list[str], dict[str, str]]:
    environ = {name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name}
    environ |= {
        "COUNTERSIGN_DATA_DIR": str(settings.data_dir.resolve()),
        "COUNTERSIGN_PORT": str(port),
    }
    return [sys.executable, "-m", "service.serve"], environ


class Server:
    """A running server process, as a caller sees it."""

    def __init__(
        self, process: subprocess.Popen, port: int, log: Path, certificate: str | None
    ) -> None:
        self.process, self.port, self.log = process, port, log
        self.tls = ssl.create_default_context(cafile=certificate) if certificate else None

    def connection(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.tls)

    def call(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            # A server may answer, and hang up, before it has read all of a body that it refuses.
            with suppress(BrokenPipeError):
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, path, **form):
        boundary, body = encode_multipart(form)
        media_type = f"multipart/form-data; boundary={boundary}"
        status, answer = self.call("POST", path, body, {"Content-Type": media_type})
        return status, json.loads(answer)

    def wait(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextmanager
def _starting(settings, log: Path, **more: str) -> Iterator[Server]:
    port = _free_port()
    arguments, environ = _command(settings, port)
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=environ | more,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, port, log, more.get("COUNTERSIGN_TLS_CERT"))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _serving(settings, log: Path, **more: str) -> Iterator[Server]:
    with _starting(settings, log, **more) as server:
        server.wait()
        yield server


def _refusal(settings, **more: str) -> str:
    """Start a server that must refuse to serve, and return what it says."""
    arguments, environ = _command(settings, _free_port())
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env=environ | more,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def _certificate(
    folder: Path, not_after: datetime | None = None, passphrase: bytes | None = None
) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "countersign test")])
    now = datetime.now(UTC)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(not_after or now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else None
    files = {"COUNTERSIGN_TLS_CERT": folder / "cert.pem", "COUNTERSIGN_TLS_KEY": folder / "key.pem"}
    pem = serialization.Encoding.PEM
    files["COUNTERSIGN_TLS_CERT"].write_bytes(certificate.public_bytes(pem))
    files["COUNTERSIGN_TLS_KEY"].write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, lock or serialization.NoEncryption()
        )
    )
    return {name: str(path) for name, path in files.items()}


@pytest.fixture(scope="session")
def certificate() -> Callable[..., dict[str, str]]:
    """Make a certificate of this machine that vouches for itself, and give its settings."""
    return _certificate


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A port where nobody listens."""
    return _free_port


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[Server]]:
    """Run the production server: `serving(settings, log_file, COUNTERSIGN_WORKERS="2")`."""
    return _serving


@pytest.fixture
def starting() -> Callable[..., AbstractContextManager[Server]]:
    """Run the production server as `serving` does, without waiting until it answers."""
    return _starting


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Start a server that must refuse to serve, and return what it says."""
    return _refusal
