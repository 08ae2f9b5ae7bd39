"""Signing in through an identity provider: OpenID Connect's code flow, with PKCE and a nonce.

The library `authlib` speaks the protocol; it comes with the extra `oidc`. Who may do what is told
by a claim of the identity token: a role here, or a name that the settings map to one.
"""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from index.registry.registry import Registry
from service.auth.scopes import ROLES
from service.errors import SignInRefused
from service.settings import Settings

DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]  # Signatures that need the provider.
TIMEOUT_S = 10.0
CLOCK_LEEWAY_S = 60
TOKEN_BYTES = 32
# Of several roles that the provider names, this one is taken: the first in this order.
BY_PRECEDENCE = ("admin", "reviewer", "auditor", "clerk")
LONGEST_SUBJECT = 180


@dataclass(frozen=True)
class Transaction:
    """What the browser keeps, in a cookie, while its user is at the provider."""

    state: str
    nonce: str
    verifier: str

    def as_text(self) -> str:
        """Return it for a cookie."""
        return ".".join((self.state, self.nonce, self.verifier))

    @classmethod
    def of_text(cls, text: str) -> "Transaction | None":
        """Return what a cookie holds; None if that is none."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == 3 and all(parts) else None  # noqa: PLR2004  # Its fields.


class Provider:
    """The identity provider of the settings; thread-safe. It is asked when somebody signs in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None

    def begin(self, return_to: str) -> tuple[str, Transaction]:
        """Return where to send the browser, and what it keeps until it comes back.

        Raises:
            SignInRefused: the provider does not answer as one.
        """
        began = Transaction(*(secrets.token_urlsafe(TOKEN_BYTES) for _ in range(3)))
        with self._client(return_to) as client:
            address, _ = client.create_authorization_url(
                self._told("authorization_endpoint"),
                state=began.state,
                nonce=began.nonce,
                code_verifier=began.verifier,
            )
        return str(address), began

    def finish(self, return_to: str, began: Transaction, state: str, code: str) -> tuple[str, str]:
        """Return who came back from the provider, by their name here, and their role.

        Raises:
            SignInRefused: the provider vouches for nobody, or gives them no role here.
        """
        if not hmac.compare_digest(state.encode(), began.state.encode()):
            raise SignInRefused("The answer is to another question than this browser's.", "state")
        try:
            with self._client(return_to) as client:
                token = client.fetch_token(
                    self._told("token_endpoint"),
                    code=code,
                    code_verifier=began.verifier,
                    timeout=TIMEOUT_S,
                )
            claims = self._claims(str(token.get("id_token", "")), began.nonce)
        except (OAuthError, JoseError, ValueError, requests.RequestException) as error:
            raise SignInRefused(f"The provider's answer is not valid: {error}", "token") from error
        role = role_of(claims, self._settings)
        if role is None:
            raise SignInRefused("The provider names no role that there is here.", "role")
        return username_of(str(claims["sub"])), role

    def _client(self, return_to: str) -> OAuth2Session:
        return OAuth2Session(
            self._settings.oidc_client_id,
            self._settings.oidc_client_secret,
            scope="openid profile",
            redirect_uri=return_to,
            code_challenge_method="S256",
        )

    def _told(self, name: str) -> str:
        """Return an address that the provider tells of itself.

        Raises:
            SignInRefused: it does not answer, or is another than the settings name.
        """
        with self._lock:
            if self._metadata is None:
                self._metadata = self._fetched(f"{self._settings.oidc_issuer}{DISCOVERY}")
                if self._metadata.get("issuer") != self._settings.oidc_issuer:
                    self._metadata = None
                    raise SignInRefused("The provider names itself otherwise.", "provider")
            if name not in self._metadata:
                self._metadata = None
                raise SignInRefused(f"The provider tells no {name}.", "provider")
            return str(self._metadata[name])

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        try:
            token = jwt.decode(id_token, self._signers(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # Providers change their keys: it may have been signed by a new one.
            token = jwt.decode(id_token, self._signers(anew=True), algorithms=ALGORITHMS)
        settings = self._settings
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": settings.oidc_issuer},
                "aud": {"essential": True, "value": settings.oidc_client_id},
            },
            {"nonce": nonce, "client_id": settings.oidc_client_id},
        )
        claims.validate(leeway=CLOCK_LEEWAY_S)
        return dict(claims)

    def _signers(self, *, anew: bool = False) -> KeySet:
        address = self._told("jwks_uri")
        with self._lock:
            if self._keys is None or anew:
                self._keys = KeySet.import_key_set(self._fetched(address))  # type: ignore[arg-type]
            return self._keys

    def _fetched(self, address: str) -> dict[str, Any]:
        try:
            answer = requests.get(address, timeout=TIMEOUT_S)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise SignInRefused(f"The provider does not answer: {error}", "provider") from error
        return found


def role_of(claims: dict[str, Any], settings: Settings) -> str | None:
    """Return the role that an identity token's claim gives; None for none.

    The claim may lie deeper, as `realm_access.roles`; it is a name or a list of them.
    """
    found: object = claims
    for part in settings.oidc_role_claim.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    named = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    mapped = settings.oidc_role_map or {role: role for role in ROLES}
    roles = {mapped[name] for name in named if isinstance(name, str) and name in mapped}
    return next((role for role in BY_PRECEDENCE if role in roles), None)


def username_of(subject: str) -> str:
    """Return how somebody of the provider is named here: no name that can be added by hand."""
    plain = quote(subject, safe="@.-_|")
    known = plain if len(plain) <= LONGEST_SUBJECT else hashlib.sha256(subject.encode()).hexdigest()
    return f"oidc:{known}"


def admit(registry: Registry, username: str, role: str) -> None:
    """Add somebody whom the provider vouches for, or give them the role that it says.

    Raises:
        SignInRefused: they were disabled here.
    """
    user = registry.users.find(username)
    if user is None:
        registry.users.add(username, role, None, "provider")
    elif user.disabled_at is not None:
        raise SignInRefused("This person was disabled here.", "disabled")
    elif user.role != role:
        registry.users.set_role(username, role, "provider")
