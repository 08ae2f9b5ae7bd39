"""A server that other machines can reach: it asks who calls, in every process at once."""

import json
import re

import pytest

from index.registry.registry import Registry
from service.auth.keys import make_key

EVERYWHERE = {"COUNTERSIGN_HOST": "0.0.0.0", "COUNTERSIGN_WORKERS": "2"}


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
