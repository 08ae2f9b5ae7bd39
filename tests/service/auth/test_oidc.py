"""Signing in through a real identity provider, a small one of our own on loopback."""

import base64
import hashlib
import json
import threading
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import Flask, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from service.app import create_app
from service.auth import oidc
from service.errors import SettingsError
from service.settings import Settings, read_settings

CLIENT, SECRET = "countersign", "the client's secret"


class SmallProvider:
    """An OpenID provider at which everybody is `subject` already; `spoil` changes what it signs."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
        self.subject, self.roles, self.spoil = "ada-1", ["clerk"], {}
        self.algorithm = "RS256"
        self._codes: dict[str, dict[str, str]] = {}
        app = Flask("provider")
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.configuration)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/jwks", view_func=self.jwks)
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.issuer = f"http://127.0.0.1:{self.server.port}"

    def configuration(self):
        paths = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "jwks",
        }
        return {"issuer": self.issuer} | {n: f"{self.issuer}/{p}" for n, p in paths.items()}

    def jwks(self):
        return {"keys": [self.key.as_dict(private=False)]}

    def authorize(self):
        asked = request.args
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        code = hashlib.sha256(asked["state"].encode()).hexdigest()
        self._codes[code] = dict(asked)
        back = urlencode({"code": code, "state": asked["state"]})
        return redirect(f"{asked['redirect_uri']}?{back}")

    def token(self):
        given = request.form
        credentials = base64.b64decode(request.headers["Authorization"].split()[1]).decode()
        asked = self._codes.pop(given["code"], None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(given["code_verifier"].encode()).digest()
        ).rstrip(b"=")
        good = (
            credentials.startswith(f"{CLIENT}:")
            and asked is not None
            and challenge.decode() == asked["code_challenge"]
            and given["redirect_uri"] == asked["redirect_uri"]
        )
        if not good:
            return {"error": "invalid_grant"}, 400
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "nonce": asked["nonce"],
            "roles": self.roles,
        } | self.spoil
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "none":
            parts = [json.dumps(one).encode() for one in (header, claims)]
            id_token = ".".join(
                [*(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts), ""]
            )
        else:
            id_token = jwt.encode(header, claims, self.key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": id_token}


@pytest.fixture
def provider():
    provider = SmallProvider()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()


@pytest.fixture
def served(services, provider):
    """Make a client of a server that knows the provider."""

    def make(**more):
        settings = replace(
            services.settings,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            **more,
        )
        return create_app(replace(services, settings=settings)).test_client()

    return make


def there(client):
    """Go to the provider; return the path by which it sends back."""
    left = client.get("/sign-in/provider")
    assert left.status_code == 302
    cookie = left.headers["Set-Cookie"]
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie
    back = requests.get(left.headers["Location"], allow_redirects=False, timeout=10)
    address = urlsplit(back.headers["Location"])
    assert address.netloc == "localhost"
    return f"{address.path}?{address.query}"


def refused(answer):
    return answer.status_code == 302 and answer.headers["Location"] == "/sign-in#refused"


def test_somebody_signs_in_through_the_provider(served, provider, services):
    client = served()
    assert client.get("/v1/session").get_json()["provider"] is True
    back = client.get(there(client))
    assert (back.status_code, back.headers["Location"]) == (302, "/")
    cookies = back.headers.getlist("Set-Cookie")
    assert [one for one in cookies if one.startswith("countersign=") and "SameSite=Strict" in one]
    told = client.get("/v1/session").get_json()
    assert (told["username"], told["role"]) == ("oidc:ada-1", "clerk")
    assert client.get("/v1/writers").status_code == 200
    assert client.get("/v1/keys").status_code == 403
    provider.roles = ["admin", "clerk"]
    client.get(there(client))
    assert client.get("/v1/keys").status_code == 200
    [user] = [one for one in services.registry.users.all() if one.username == "oidc:ada-1"]
    assert (user.role, user.password_hash) == ("admin", None)


def test_another_sites_page_has_nobody_signed_in(served):
    """The provider, who knows them, would let them in without a word."""
    client = served()
    for site in ("cross-site", "same-site"):
        answer = client.get("/sign-in/provider", headers={"Sec-Fetch-Site": site})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in")
        assert "Set-Cookie" not in answer.headers
    for site in ("same-origin", "none"):
        answer = client.get("/sign-in/provider", headers={"Sec-Fetch-Site": site})
        assert answer.headers["Location"].startswith("http://127.0.0.1")


def test_signing_in_through_the_provider_ends_the_session_before(served, provider, services):
    client, provider.subject = served(), "cleo"
    client.get(there(client))
    first = client.get_cookie("countersign").value
    client.get(there(client))
    assert client.get_cookie("countersign").value != first
    assert len(services.registry.sessions.of_user("oidc:cleo")) == 1


@pytest.mark.parametrize("address", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_that_tells_half_of_its_addresses_is_refused(served, provider, address):
    client = served()
    told = provider.configuration()
    del told[address]
    provider.server.app.view_functions["configuration"] = lambda: told
    leaving = client.get("/sign-in/provider")
    if address == "authorization_endpoint":
        assert refused(leaving)
    else:
        back = requests.get(leaving.headers["Location"], allow_redirects=False, timeout=10)
        assert refused(client.get(back.headers["Location"]))


def test_names_of_the_provider_stand_for_roles_and_may_lie_deeper(served, provider):
    client = served(oidc_roles="tellers=clerk,heads=auditor", oidc_role_claim="realm.roles")
    provider.subject, provider.spoil = "ben", {"realm": {"roles": ["tellers", "heads", "admin"]}}
    client.get(there(client))
    assert client.get("/v1/session").get_json()["role"] == "auditor"


@pytest.mark.parametrize(
    "spoil",
    [
        {"roles": []},
        {"roles": ["king"]},
        {"roles": None},
        {"roles": 7},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1000},
        {"iat": "soon"},
        {"sub": None},
    ],
    ids=str,
)
def test_who_is_not_vouched_for_is_refused(served, provider, spoil):
    provider.subject, provider.spoil = "mallory", spoil
    client = served()
    assert refused(client.get(there(client)))
    assert client.get("/v1/session").get_json()["username"] is None


def test_a_token_that_nobody_signed_is_refused(served, provider):
    client = served()
    provider.algorithm = "none"
    assert refused(client.get(there(client)))


def test_a_token_that_somebody_else_signed_is_refused(served, provider):
    client = served()
    shown = provider.jwks()
    provider.server.app.view_functions["jwks"] = lambda: shown
    provider.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    assert refused(client.get(there(client)))


def test_a_provider_may_change_its_keys(served, provider):
    client = served()
    client.get(there(client))
    provider.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    assert client.get(there(client)).headers["Location"] == "/"


def test_an_answer_counts_once_and_for_the_browser_that_asked(served, provider):
    client = served()
    path = there(client)
    other = client.application.test_client()
    assert refused(other.get(path))  # Another's answer, put into this browser.
    wrong_state = f"{urlsplit(path).path}?" + urlencode(
        {"code": parse_qs(urlsplit(path).query)["code"][0], "state": "x"}
    )
    assert refused(client.get(wrong_state))
    path = there(client)
    cookie = client.get_cookie("countersign-provider").value
    assert client.get(path).headers["Location"] == "/"
    client.set_cookie("countersign-provider", cookie)
    assert refused(client.get(path))  # The code was used.


def test_what_the_provider_refuses_is_refused(served):
    client = served()
    there(client)
    assert refused(client.get("/sign-in/return?error=access_denied"))
    assert refused(client.get("/sign-in/return"))


def test_somebody_disabled_here_stays_out(served, provider, services):
    provider.subject = "cyn"
    client = served()
    client.get(there(client))
    services.registry.users.disable("oidc:cyn", "test")
    assert refused(client.get(there(client)))


def test_a_provider_that_does_not_answer_or_is_another_is_refused(services, provider):
    def serve(issuer):
        settings = replace(services.settings, oidc_issuer=issuer, oidc_client_id=CLIENT)
        return create_app(replace(services, settings=settings)).test_client()

    assert refused(serve("http://127.0.0.1:9").get("/sign-in/provider"))
    assert refused(serve(f"http://localhost:{provider.server.port}").get("/sign-in/provider"))


def test_without_a_provider_there_is_none(client):
    for path in ("/sign-in/provider", "/sign-in/return?code=x&state=y"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "sign-in-off")
    assert client.get("/v1/session").get_json()["provider"] is False


def test_a_name_of_the_provider_is_never_one_that_was_added_by_hand():
    assert oidc.username_of("admin") == "oidc:admin"
    assert oidc.username_of("a b/ü") == "oidc:a%20b%2F%C3%BC"
    assert len(oidc.username_of("x" * 500)) < 200
    assert oidc.username_of("x" * 500) != oidc.username_of("x" * 501)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OIDC_ISSUER": "http://provider.example"}, "https address"),
        ({"OIDC_ISSUER": "provider"}, "https address"),
        ({"OIDC_ISSUER": "https://provider.example"}, "OIDC_CLIENT_ID is not set"),
        ({"OIDC_ROLES": "tellers=king"}, "tellers=clerk"),
        ({"OIDC_ROLES": "tellers"}, "tellers=clerk"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(variables, expected):
    with pytest.raises(SettingsError, match=expected):
        read_settings({f"COUNTERSIGN_{name}": value for name, value in variables.items()})


def test_the_clients_secret_is_not_shown():
    assert SECRET not in repr(Settings(oidc_client_secret=SECRET))
