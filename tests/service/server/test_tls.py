"""The server speaks TLS itself, with a certificate that was looked at before it started."""

import json
import socket
import ssl
from datetime import UTC, datetime

import pytest

from service.errors import SettingsError
from service.observability.certificates import certificate_expires_s
from service.settings import read_settings


@pytest.fixture(scope="module")
def files(certificate, tmp_path_factory) -> dict[str, str]:
    return certificate(tmp_path_factory.mktemp("tls"))


def test_it_answers_over_https_and_nothing_else(settings, tmp_path, serving, files):
    with serving(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2", **files) as server:
        status, body = server.call("GET", "/healthz")
        assert (status, json.loads(body)) == (200, {"status": "ok"})
        # The page's own origin is the one with https.
        json_type = {"Content-Type": "application/json"}
        own = json_type | {"Origin": f"https://127.0.0.1:{server.port}"}
        other = json_type | {"Origin": f"http://127.0.0.1:{server.port}"}
        assert server.call("POST", "/v1/writers", b'{"writer_id": "C-1"}', own)[0] == 201
        assert server.call("POST", "/v1/writers", b'{"writer_id": "C-2"}', other)[0] == 403
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP/")
        assert server.stop() == 0
    text = (tmp_path / "log").read_text()
    assert f"address=https://127.0.0.1:{server.port}" in text
    assert "Traceback" not in text


def test_http_2_is_not_offered(settings, tmp_path, serving, files):
    with serving(settings, tmp_path / "log", **files) as server:
        server.tls.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection,
            server.tls.wrap_socket(connection, server_hostname="127.0.0.1") as spoken,
        ):
            assert spoken.selected_alpn_protocol() != "h2"
            spoken.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert spoken.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_old_versions_are_refused(settings, tmp_path, serving, files, version, spoken):
    with serving(settings, tmp_path / "log", **files) as server:
        tls = ssl.create_default_context(cafile=files["COUNTERSIGN_TLS_CERT"])
        tls.minimum_version = tls.maximum_version = version
        tls.set_ciphers("DEFAULT@SECLEVEL=0")  # So that only the server refuses.
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        with connection:
            if spoken:
                with tls.wrap_socket(connection, server_hostname="127.0.0.1") as one:
                    assert one.version() == version.name.replace("_", ".")
            else:
                with pytest.raises(OSError, match=r"(?i)protocol|alert|version"):
                    tls.wrap_socket(connection, server_hostname="127.0.0.1")


def test_a_slow_handshake_keeps_nobody_waiting(settings, tmp_path, serving, files):
    with serving(settings, tmp_path / "log", **files) as server:
        silent = [
            socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(20)
        ]
        assert server.call("GET", "/healthz")[0] == 200
        for one in silent:
            one.close()


def test_a_key_of_another_certificate_is_refused_at_the_start(
    settings, refusal, files, certificate, tmp_path
):
    other = certificate(tmp_path)
    mixed = files | {"COUNTERSIGN_TLS_KEY": other["COUNTERSIGN_TLS_KEY"]}
    said = refusal(settings, **mixed)
    assert "COUNTERSIGN_TLS_KEY" in said
    assert "its own private key" in said


def test_a_key_with_a_passphrase_is_refused_at_the_start(settings, refusal, certificate, tmp_path):
    said = refusal(settings, **certificate(tmp_path, passphrase=b"secret"))
    assert "without a passphrase" in said


def test_what_is_no_certificate_is_refused_at_the_start(settings, refusal, files, tmp_path):
    (tmp_path / "no.pem").write_text("hello")
    said = refusal(settings, **files | {"COUNTERSIGN_TLS_CERT": str(tmp_path / "no.pem")})
    assert "COUNTERSIGN_TLS_CERT" in said


@pytest.mark.parametrize("name", ["COUNTERSIGN_TLS_CERT", "COUNTERSIGN_TLS_KEY"])
def test_a_certificate_and_its_key_belong_together(files, name):
    with pytest.raises(SettingsError, match="belong together"):
        read_settings({name: files[name]})


def test_when_a_certificate_expires_is_told(certificate, tmp_path):
    at = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    made = certificate(tmp_path, not_after=at)
    assert certificate_expires_s(tmp_path / "cert.pem") == at.timestamp()
    assert made["COUNTERSIGN_TLS_CERT"] == str(tmp_path / "cert.pem")
    with pytest.raises(ValueError, match=r".+"):
        certificate_expires_s(tmp_path / "key.pem")
