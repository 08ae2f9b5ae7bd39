"""`countersign ready`: for whoever watches a server, such as a container's health check."""

import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from service.cli.server.ready import EVERY_ADDRESS


@pytest.fixture
def answering(monkeypatch):
    """Something that answers in a server's place, with the status that is wanted."""
    servers = []

    def answer_with(status: int, tls: ssl.SSLContext | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == "/readyz" else 404)
                self.end_headers()

            def log_message(self, *_args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("COUNTERSIGN_PORT", str(server.server_port))

    yield answer_with
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_can_answer_is_ready(answering, answer):
    answering(200)
    code, told = answer("ready")
    assert (code, told["ready"], told["status"]) == (0, True, 200)


@pytest.mark.parametrize("status", [503, 507, 404, 500])
def test_one_that_cannot_is_not(answering, answer, run, status):
    answering(status)
    code, told = answer("ready")
    assert (code, told["ready"], told["status"]) == (1, False, status)
    result = run("ready")
    assert result.exit_code == 1
    assert str(status) in result.stdout


def test_where_nobody_listens_nobody_is_ready(monkeypatch, answer):
    monkeypatch.setenv("COUNTERSIGN_PORT", "1")
    code, told = answer("ready")
    assert (code, told["ready"], told["status"]) == (1, False, None)
    assert "http://127.0.0.1:1 does not answer" in told["reason"]


def test_every_address_is_asked_on_this_machines_own():
    assert EVERY_ADDRESS == {"0.0.0.0": "127.0.0.1", "::": "::1"}


def test_a_server_over_tls_is_asked_over_tls(answering, answer, certificate, tmp_path, monkeypatch):
    files = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*files.values())
    answering(200, tls)
    assert answer("ready")[1]["status"] is None  # In the clear it does not answer.
    for name, path in files.items():
        monkeypatch.setenv(name, path)
    assert answer("ready")[1]["ready"]
