"""Every route asks for what the table here says, whoever calls and with whatever key."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from index.registry.schema import ApiKeyRow
from service.app import create_app
from service.auth.keys import make_key
from service.auth.scopes import OPEN, SCOPES, SIGNED_IN, need_of

W = "/v1/writers"
ONE = f"{W}/<writer_id>"
DECISION = "/v1/decisions/<decision_id>"
TABLE = {
    ("GET", "/"): OPEN,
    ("GET", "/assets/<path:filename>"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/docs/assets/<name>"): OPEN,
    ("GET", "/docs/docs.css"): OPEN,
    ("GET", "/docs/start.js"): OPEN,
    ("GET", "/docs/theme.js"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/metrics"): "metrics",
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/account"): OPEN,
    ("GET", "/set-password"): OPEN,
    ("GET", "/sign-in"): OPEN,
    ("GET", "/sign-in/provider"): OPEN,
    ("GET", "/sign-in/return"): OPEN,
    ("GET", "/v1/about"): "read",
    ("POST", "/v1/compare"): "verify",
    ("GET", "/v1/decisions"): "read",
    ("GET", DECISION): "read",
    ("GET", f"{DECISION}/evidence"): "audit",
    ("PUT", f"{DECISION}/hold"): "audit",
    ("GET", f"{DECISION}/image"): "read",
    ("POST", f"{DECISION}/replay"): "audit",
    ("POST", f"{DECISION}/reviews"): "review",
    ("GET", "/v1/erasures"): "read",
    ("POST", "/v1/identify"): "identify",
    ("GET", "/v1/keys"): "admin",
    ("POST", "/v1/keys"): "admin",
    ("DELETE", "/v1/keys/<prefix>"): "admin",
    ("POST", "/v1/keys/<prefix>/rotate"): "admin",
    ("GET", "/v1/model"): "read",
    ("GET", "/v1/reviews/queue"): "review",
    ("POST", "/v1/model/calibration"): "admin",
    ("POST", "/v1/password"): OPEN,
    ("PUT", "/v1/password"): SIGNED_IN,
    ("POST", "/v1/second-factor"): SIGNED_IN,
    ("PUT", "/v1/second-factor"): SIGNED_IN,
    ("POST", "/v1/second-factor/removal"): SIGNED_IN,
    ("GET", "/v1/session"): OPEN,
    ("POST", "/v1/session"): OPEN,
    ("DELETE", "/v1/session"): SIGNED_IN,
    ("GET", "/v1/sessions"): SIGNED_IN,
    ("DELETE", "/v1/sessions/<session_id>"): SIGNED_IN,
    ("GET", W): "read",
    ("POST", W): "enroll",
    ("GET", ONE): "read",
    ("PATCH", ONE): "enroll",
    ("DELETE", ONE): "erase",
    ("GET", f"{ONE}/references"): "read",
    ("POST", f"{ONE}/references"): "enroll",
    ("DELETE", f"{ONE}/references/<int:reference_id>"): "erase",
    ("GET", f"{ONE}/references/<int:reference_id>/image"): "read",
    ("POST", f"{ONE}/verify"): "verify",
}


def routes(app):
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield (method, rule.rule), need_of(app.view_functions[rule.endpoint])


def call(client, route, headers):
    method, rule = route
    path = re.sub(r"<int:\w+>", "7", rule)
    path = re.sub(r"<[\w:]+>", "x", path)
    return client.open(path, method=method, headers=headers)


def test_every_route_states_what_it_needs(app):
    stated = dict(routes(app))
    assert None not in stated.values(), [route for route in stated if stated[route] is None]
    assert stated == TABLE


def test_a_route_that_forgets_to_say_is_answered_to_nobody(app, key):
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = app.test_client().get("/forgotten", headers=key(*SCOPES))
    assert answer.status_code == 403


def test_a_key_may_do_what_its_scopes_say_and_nothing_else(client, key):
    held = {scope: key(scope) for scope in SCOPES}
    for route, need in TABLE.items():
        for scope, headers in held.items():
            answer = call(client, route, headers)
            if need in {OPEN, scope}:
                assert answer.status_code not in {401, 403}, (route, scope)
            elif need == SIGNED_IN:
                assert answer.status_code == 401, (route, scope)
            else:
                assert answer.status_code == 403, (route, scope)
                problem = answer.get_json()
                assert (problem["code"], problem["scope"]) == ("missing-scope", need)
                assert need in problem["detail"]


def test_all_scopes_may_do_all(client, key):
    headers = key(*SCOPES)
    for route, need in TABLE.items():
        if need != SIGNED_IN:
            assert call(client, route, headers).status_code not in {401, 403}, route


@pytest.fixture
def useless(services, key):
    """Headers that show nobody, by what is wrong with them."""
    registry, every = services.registry, list(SCOPES)
    revoked, revoked_text = make_key(registry, "revoked", every, None, "test")
    registry.keys.revoke(revoked.prefix, "test")
    expired, expired_text = make_key(registry, "expired", every, timedelta(days=1), "test")
    with registry._database.write() as connection:
        connection.execute(
            update(ApiKeyRow)
            .where(ApiKeyRow.key_id == expired.prefix)
            .values(expires_at=datetime.now(UTC))
        )
    valid = key(*every)["Authorization"]
    return {
        "none": {},
        "wrong secret": {"Authorization": valid[:-1] + ("0" if valid[-1] != "0" else "1")},
        "another's prefix": {"Authorization": f"Bearer cs_{expired.prefix}_{valid[-64:]}"},
        "unknown": {"Authorization": f"Bearer cs_{'0' * 12}_{'0' * 64}"},
        "malformed": {"Authorization": "Bearer secret"},
        "empty": {"Authorization": ""},
        "another scheme": {"Authorization": valid.replace("Bearer", "Basic")},
        "cut": {"Authorization": valid[:-1]},
        "expired": {"Authorization": f"Bearer {expired_text}"},
        "revoked": {"Authorization": f"Bearer {revoked_text}"},
    }


def test_without_a_key_in_force_nothing_is_answered_but_what_is_open(client, useless):
    for route, need in TABLE.items():
        for wrong, headers in useless.items():
            answer = call(client, route, headers)
            if need == OPEN:
                assert answer.status_code not in {401, 403}, (route, wrong)
            else:
                assert answer.status_code == 401, (route, wrong)
                assert answer.get_json()["code"] == "unauthorized"
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["key", "access_token", "authorization", "token"])
def test_a_key_in_an_address_is_nobodys(client, key, name):
    """Addresses are kept by proxies and browsers."""
    text = key("read")["Authorization"].removeprefix("Bearer ")
    assert client.get(f"{W}?{name}={text}").status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/keys", "/v1/keys/", "/v1//keys", "/v1/%6beys", "/v1/x/../keys"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_no_other_spelling_gets_around_the_check(client, key, path, method):
    headers = key("read") | {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/v1/writers"}
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code in {308, 403, 404, 405}, (path, method)
    assert "prefix" not in answer.text


def test_a_key_whose_holder_spells_bearer_small_is_known(client, key):
    headers = {"Authorization": key("read")["Authorization"].replace("Bearer", "bearer")}
    assert client.get(W, headers=headers).status_code == 200


def test_without_sign_in_everybody_may_do_all(services):
    """On a loopback address, as before there were keys."""
    off = replace(services, settings=replace(services.settings, auth="off"))
    client = create_app(off).test_client()
    for route, need in TABLE.items():
        if need != SIGNED_IN:
            assert call(client, route, {}).status_code not in {401, 403}, route
            assert call(client, route, {"Authorization": "Bearer x"}).status_code != 401, route
