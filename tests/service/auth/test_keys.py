"""Keys of programs: shown once, kept as hashes, rotated, and revoked for all at once."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from sqlite3 import connect

import pytest
from sqlalchemy import select, update

from index.errors import UnknownKey
from index.registry.registry import Registry
from index.registry.schema import ApiKeyRow, AuditEntryRow, AuditNameRow
from service.auth import refusals
from service.auth.keys import duration_of, key_identity, make_key, rotate_key, scopes_of
from service.errors import InvalidInput, Unauthorized


def entries(registry, kind):
    with registry._database.read() as connection:
        rows = connection.execute(
            select(AuditEntryRow.details, AuditEntryRow.sequence)
            .where(AuditEntryRow.kind == kind)
            .order_by(AuditEntryRow.sequence)
        ).all()
    return [row.details for row in rows]


def test_only_a_hash_of_the_secret_is_kept(services):
    key, text = make_key(services.registry, "teller", ["verify"], None, "test")
    secret = text.rsplit("_", 1)[1]
    assert text == f"cs_{key.prefix}_{secret}"
    assert len(bytes.fromhex(secret)) == 32
    with closing(connect(services.settings.data_dir / "registry.db")) as database:
        dump = "\n".join(database.iterdump())
    assert key.secret_sha256 in dump
    assert secret not in dump


def test_who_called_is_in_the_audit_trail(client, services, key, files):
    headers = key("enroll", "verify")
    prefix = headers["Authorization"].split("_")[1]
    form = {"writer_id": "C-caller", "images": files(1, 0)}
    assert client.post("/v1/writers", data=form, headers=headers).status_code == 201
    probe = {"image": files(1, 9)[0]}
    assert (
        client.post("/v1/writers/C-caller/verify", data=probe, headers=headers).status_code == 200
    )
    with closing(connect(services.settings.data_dir / "registry.db")) as registry:
        callers = registry.execute("SELECT caller FROM decisions").fetchall()
    assert callers == [(f"key:{prefix}",)]


def test_a_revoked_key_is_refused_by_every_process_at_once(services):
    other = Registry(services.settings.database_url)  # As another worker has it.
    key, text = make_key(services.registry, "teller", ["verify"], None, "test")
    assert key_identity(other, f"Bearer {text}").scopes == {"verify"}
    services.registry.keys.revoke(key.prefix, "test")
    with pytest.raises(Unauthorized, match="revoked"):
        key_identity(other, f"Bearer {text}")
    other.close()


def test_a_rotated_key_is_of_use_until_the_overlap_ends(services):
    registry = services.registry
    old, old_text = make_key(registry, "teller", ["verify"], timedelta(days=9), "test")
    new, new_text = rotate_key(registry, old, None, timedelta(hours=1), "test")
    assert (new.name, new.scopes) == ("teller", ("verify",))
    for text in (old_text, new_text):
        assert key_identity(registry, f"Bearer {text}").scopes == {"verify"}
    found = registry.keys.find(old.prefix)
    assert found.replaced_by == new.prefix
    left = found.expires_at - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert found.state(datetime.now(UTC) + timedelta(hours=2)) == "expired"


def test_an_overlap_never_prolongs_a_key(services):
    old, _ = make_key(services.registry, "teller", ["verify"], timedelta(minutes=5), "test")
    rotate_key(services.registry, old, None, timedelta(days=1), "test")
    assert services.registry.keys.find(old.prefix).expires_at == old.expires_at


def test_a_rotated_key_lasts_as_long_as_the_one_before_was_made_for(services):
    registry = services.registry
    old, _ = make_key(registry, "till", ["verify"], timedelta(days=90), "test")
    new, _ = rotate_key(registry, old, None, timedelta(hours=1), "test")
    assert abs(new.expires_at - new.created_at - timedelta(days=90)) < timedelta(seconds=5)
    endless, _ = make_key(registry, "till", ["verify"], None, "test")
    assert rotate_key(registry, endless, None, timedelta(hours=1), "test")[0].expires_at is None
    short, _ = rotate_key(registry, new, timedelta(days=1), timedelta(hours=1), "test")
    assert short.expires_at - short.created_at < timedelta(days=2)


def test_a_revoked_key_is_not_rotated(services):
    old, _ = make_key(services.registry, "teller", ["verify"], None, "test")
    services.registry.keys.revoke(old.prefix, "test")
    with pytest.raises(UnknownKey):
        rotate_key(services.registry, old, None, timedelta(days=1), "test")


def test_the_last_use_is_written_once_a_minute(services):
    registry = services.registry
    key, text = make_key(registry, "teller", ["verify"], None, "test")
    key_identity(registry, f"Bearer {text}")
    first = registry.keys.find(key.prefix).last_used_at
    key_identity(registry, f"Bearer {text}")
    assert registry.keys.find(key.prefix).last_used_at == first
    with registry._database.write() as connection:
        connection.execute(
            update(ApiKeyRow)
            .where(ApiKeyRow.key_id == key.prefix)
            .values(last_used_at=first - timedelta(minutes=2))
        )
    key_identity(registry, f"Bearer {text}")
    assert registry.keys.find(key.prefix).last_used_at >= first


def test_every_change_of_a_key_is_on_the_chain_without_its_name(services):
    registry = services.registry
    key, _ = make_key(registry, "Ada Lovelace", ["verify"], None, "cli:ada")
    new, _ = rotate_key(registry, key, None, timedelta(0), "cli:ada")
    registry.keys.revoke(new.prefix, "cli:ada")
    registry.keys.revoke(new.prefix, "cli:ada")  # Once more is nothing.
    assert entries(registry, "key.created")[-1] == {"scopes": ["verify"], "expires_at": None}
    assert entries(registry, "key.rotated")[-1]["replaces"] == key.prefix
    before = len(entries(registry, "key.revoked"))
    registry.keys.revoke(new.prefix, "cli:ada")
    assert len(entries(registry, "key.revoked")) == before
    with registry._database.read() as connection:
        assert "Lovelace" not in json.dumps(
            [dict(row) for row in connection.execute(select(AuditNameRow.text)).mappings()]
        )


def test_refusals_are_written_in_sums(app, services, monkeypatch):
    client = app.test_client()
    for _ in range(50):
        client.get("/v1/writers")
        client.get("/v1/writers", headers={"Authorization": "Bearer x"})
    assert entries(services.registry, "key.refused")[-1] == {"none": 1}  # The first, at once.
    monkeypatch.setattr(refusals, "EVERY_S", 0.0)  # As a minute later.
    client.get("/healthz")
    client.get("/assets/logo.svg")
    written = entries(services.registry, "key.refused")
    assert written[-1] == {"none": 49, "malformed": 50}


@pytest.mark.parametrize(
    ("text", "span"), [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)),
                       ("30m", timedelta(minutes=30))]
)  # fmt: skip
def test_time_spans(text, span):
    assert duration_of(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1w", "1.5h", "99999d", "90 d", "٣d"])
def test_what_is_no_time_span_is_refused(text):
    with pytest.raises(InvalidInput, match="90d, 12h or 30m"):
        duration_of(text)


def test_scopes_are_checked():
    assert scopes_of("read, verify,read") == ["verify", "read"]
    for text in ("", "verify,root", "VERIFY"):
        with pytest.raises(InvalidInput, match="Expected scopes among verify"):
            scopes_of(text)


def test_keys_are_made_listed_rotated_and_revoked_over_http(client, key):
    admin = key("admin")
    wish = {"name": "import", "scopes": ["enroll", "read"], "expires_in": "90d"}
    made = client.post("/v1/keys", json=wish, headers=admin)
    assert made.status_code == 201
    body = made.get_json()
    use = {"Authorization": f"Bearer {body['key']}"}
    assert client.get("/v1/writers", headers=use).status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    path = f"/v1/keys/{body['prefix']}"
    rotated = client.post(f"{path}/rotate", json={"overlap": "1h"}, headers=admin)
    assert rotated.status_code == 201
    listed = client.get("/v1/keys", headers=admin).get_json()["keys"]
    kept = {one["prefix"]: one for one in listed}
    assert "key" not in kept[body["prefix"]]
    assert kept[body["prefix"]]["replaced_by"] == rotated.get_json()["prefix"]
    assert client.delete(path, headers=admin).status_code == 204
    assert client.get("/v1/writers", headers=use).status_code == 401
    other = {"Authorization": f"Bearer {rotated.get_json()['key']}"}
    assert client.get("/v1/writers", headers=other).status_code == 200
    assert client.delete("/v1/keys/nothing", headers=admin).status_code == 404
    assert client.post("/v1/keys/nothing/rotate", json={}, headers=admin).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["read"]}, "name"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "a\nb", "scopes": ["read"]}, "name"),
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes"),
        ({"name": "x", "scopes": ["read"], "expires_in": "soon"}, "expires_in"),
        ({"name": "x", "scopes": ["read"], "role": "admin"}, "role"),
    ],
)
def test_a_key_that_is_not_as_expected_is_not_made(client, key, body, field):
    answer = client.post("/v1/keys", json=body, headers=key("admin"))
    assert answer.status_code == 422
    assert field in answer.get_json()["fields"]
