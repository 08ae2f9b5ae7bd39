"""A server that other machines can reach: it asks who calls, in every process at once."""

import json
import re
import socket

import pytest

from index.registry.registry import Registry
from service.auth.keys import make_key
from service.server.front import ALWAYS_READ_BYTES

EVERYWHERE = {"COUNTERSIGN_HOST": "0.0.0.0", "COUNTERSIGN_WORKERS": "2"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture
def registry(settings):
    registry = Registry(settings.database_url)
    yield registry
    registry.close()


def test_a_key_is_known_and_revoked_in_all_processes(settings, registry, tmp_path, serving):
    with serving(settings, tmp_path / "log", **EVERYWHERE) as server:
        assert server.call("GET", "/healthz")[0] == 200
        assert json.loads(server.call("GET", "/readyz")[1]) == {"status": "ok", "index": {}}
        assert server.call("GET", "/metrics")[0] == 401
        assert server.call("GET", "/v1/writers")[0] == 401
        key, text = make_key(registry, "test", ["read", "metrics"], None, "test")
        headers = {"Authorization": f"Bearer {text}"}
        for path in ("/v1/writers", "/metrics"):
            statuses = {server.call("GET", path, headers=headers)[0] for _ in range(20)}
            assert statuses == {200}
        assert json.loads(server.call("GET", "/readyz", headers=headers)[1])["index"] != {}
        # Whoever reaches a server by another name than a loopback one may.
        named = headers | {"Host": "countersign.example"}
        assert server.call("GET", "/v1/writers", headers=named)[0] == 200
        registry.keys.revoke(key.prefix, "test")
        statuses = {server.call("GET", "/v1/writers", headers=headers)[0] for _ in range(20)}
        assert statuses == {401}
    log = (tmp_path / "log").read_text()
    assert "Nobody can call yet" in log
    assert re.search(r"countersign users add NAME\s--role admin", log)
    assert text not in log
    assert registry.audit  # Refusals were written when the processes ended.
    with registry._database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT details FROM audit_entries WHERE kind = 'key.refused'"
        ).scalars()
        refused = [json.loads(row) for row in rows]
    assert sum(one.get("revoked", 0) for one in refused) == 20


def post_head(server, path, length, key=None):
    """Send the headers of a form and none of its body; return the answer, or None if it waits."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {length}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as caller:
        caller.sendall("\r\n".join([*lines, "", ""]).encode())
        try:
            return caller.recv(65536).decode()
        except TimeoutError:
            return None


def test_a_large_body_is_read_only_of_who_may_send_it(settings, registry, tmp_path, serving):
    _, may = make_key(registry, "may", ["identify"], None, "test")
    _, may_not = make_key(registry, "may not", ["read"], None, "test")
    large = 50 * 2**20
    with serving(settings, tmp_path / "log", COUNTERSIGN_AUTH="on") as server:
        for path, key, status in [
            ("/v1/identify", None, 401),
            ("/v1/identify", f"cs_{'0' * 12}_{'0' * 64}", 401),
            ("/v1/identify", may_not, 403),
            ("/v1/session", None, 415),
            ("/nowhere", may, 404),
        ]:
            answer = post_head(server, path, large, key)
            assert answer is not None, (path, key)
            assert answer.startswith(f"HTTP/1.1 {status} "), answer
            assert "connection: close" in answer
        assert post_head(server, "/v1/identify", large, may) is None  # It waits for the body.
        # A usual scan is taken, so that whoever writes before reading learns what is wrong.
        assert post_head(server, "/v1/identify", ALWAYS_READ_BYTES) is None
        assert server.call("POST", "/v1/identify", b"x" * large, FORM)[0] == 401


def test_a_server_that_somebody_can_call_does_not_say_otherwise(
    settings, registry, tmp_path, serving
):
    make_key(registry, "test", ["read"], None, "test")
    with serving(settings, tmp_path / "log", COUNTERSIGN_AUTH="on"):
        pass
    assert "Nobody can call yet" not in (tmp_path / "log").read_text()


def test_open_to_others_without_sign_in_is_refused(settings, refusal):
    said = refusal(settings, COUNTERSIGN_HOST="0.0.0.0", COUNTERSIGN_AUTH="off")
    assert "COUNTERSIGN_AUTH=on" in said


def test_counts_that_cannot_be_kept_are_said_at_the_start(settings, refusal):
    said = refusal(settings, COUNTERSIGN_AUTH="on", COUNTERSIGN_LIMITS_URL="memcached://x")
    assert "COUNTERSIGN_LIMITS_URL" in said
