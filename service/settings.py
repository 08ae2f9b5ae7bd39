"""Reads every COUNTERSIGN_* variable, once, into one validated value; builds nothing from it.

This is the only module that looks at the environment.
"""

import difflib
import ipaddress
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from index.milvus.address import read_milvus_url
from service.errors import SettingsError

PREFIX = "COUNTERSIGN_"
LIMITS_OFF = "off"
OIDC_ROLES = ("clerk", "reviewer", "auditor", "admin")
DEFAULT_DATA_DIR = Path("var") / "countersign"
Calibrate = Literal["propose", "auto", "off"]
LogFormat = Literal["text", "json"]
Reject = Literal["software", "human"]
Blind = Literal["on", "off"]
Auth = Literal["on", "off"]
LogLevel = Literal["debug", "info", "warning", "error"]
Origin = Literal["environment", "option", "default", "data folder"]
CALIBRATES: tuple[Calibrate, ...] = ("propose", "auto", "off")
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json")
HUNDRED = 100  # Per cent.
LOG_LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Those whose values can hold a password: COUNTERSIGN_<NAME>_FILE names a file with the value.
SECRETS = ("database_url", "index_url", "limits_url", "oidc_client_secret")
FILE = "_file"
MAX_SECRET_BYTES = 64 * 2**10


@dataclass(frozen=True)
class Settings:
    """How this installation runs. Every field is a COUNTERSIGN_* variable of the same name."""

    database_url: str = f"sqlite:///{DEFAULT_DATA_DIR / 'registry.db'}"
    data_dir: Path = DEFAULT_DATA_DIR
    index_url: str = "faiss:"
    # References from which on the index is an approximate one: exact search takes some 4 ms then.
    index_ivf_from: int = 200_000
    index_nearest: int = 10  # How many of the nearest references count for its recall: 10, or 1.
    model: Path | None = None  # None is the model that ships with the package.
    calibrate: Calibrate = "propose"  # What becomes of what the gallery tells as it grows.
    auth: Auth = "off"  # Where it is not given, `read_settings` goes by the host.
    rate_limit: str | None = None  # None goes by `auth`, as the next.
    verify_limit: str | None = None
    limits_url: str = "registry:"  # Where the processes count together.
    oidc_issuer: str | None = None  # An identity provider, through which people sign in.
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    oidc_role_claim: str = "roles"
    oidc_roles: str | None = None  # What the claim's names stand for here.
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 4
    requests_per_address: int = 128  # In progress at a time, in each process.
    body_timeout: int = 20  # Seconds for a body; one that keeps a slow phone's pace has longer.
    trusted_proxies: tuple[Network, ...] = ()  # Whose X-Forwarded-* headers are believed.
    tls_cert: Path | None = None
    tls_key: Path | None = None
    keep_decisions: int | None = None  # Days; None is for ever.
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    server: str | None = None  # The server that commands ask; None is the registry itself.
    key: str | None = field(default=None, repr=False)  # Theirs, if they ask a server.
    key_file: Path | None = None  # Where it is kept, if not in `key`.
    keep_queries: int = 90  # Days that query images are kept; then their hash alone.
    review_sample: str = "1%"  # Share of accepted signatures that a person looks at.
    review_blind: Blind = "off"  # Whether reviewers do not see what the software said.
    review_claim: int = 15  # Minutes that a decision is a reviewer's alone.
    reject: Reject = "software"  # Who may reject.
    rejecters: int = 2  # How many reviewers a rejection takes.
    audit_key: Path | None = None  # Signs anchors of the audit chain.
    audit_anchor: str | None = None  # File or URL that the server writes anchors to.
    audit_anchor_every: int = 60  # Minutes.

    @property
    def review_share(self) -> float:
        """The share of accepted signatures that a person looks at, 0 to 1."""
        return float(self.review_sample.removesuffix("%")) / HUNDRED

    @property
    def snapshot_dir(self) -> Path:
        """Where the vector index keeps its snapshots."""
        return self.data_dir / "snapshots"

    @property
    def scheme(self) -> str:
        """By which protocol the server is spoken to: `https` where it has a certificate."""
        return "https" if self.tls_cert else "http"

    @property
    def backup_dir(self) -> Path:
        """Where backups go that are made before an upgrade."""
        return self.data_dir / "backups"

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def oidc_role_map(self) -> dict[str, str]:
        """What names of the provider's claim stand for here; empty where they are roles."""
        return dict(pair.split("=") for pair in (self.oidc_roles or "").split(",") if pair)

    def limit(self, given: str | None, usual: str) -> str:
        """Return a limit of the settings: where it is not given, none with AUTH=off."""
        return given or (usual if self.auth == "on" else LIMITS_OFF)


def read_settings(
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> Settings:
    """Read and validate the settings from `environ` (default: the process's environment).

    `options` are a command line's, by the names of the settings; they go before the environment.
    Settings named in `without` are not looked at: a command may be about to make what they name.
    A setting in SECRETS may come from a file instead, which a variable with _FILE at its end names.

    Raises:
        SettingsError: naming the variable, what was expected, what came, and what to do.
    """
    environ = os.environ if environ is None else environ
    given = {
        name.removeprefix(PREFIX).lower(): value.strip()
        for name, value in environ.items()
        if name.startswith(PREFIX) and value.strip()
    } | dict(options or {})
    given = {name: value for name, value in _with_secrets(given).items() if name not in without}
    for name in given:
        if name not in _READERS:
            raise SettingsError(_unknown(name))
    values = {name: _READERS[name](value) for name, value in given.items()}
    if "data_dir" in values and "database_url" not in values:
        values["database_url"] = f"sqlite:///{Path(str(values['data_dir'])) / 'registry.db'}"
    if "auth" not in values:
        values["auth"] = "off" if is_loopback(str(values.get("host", Settings.host))) else "on"
    settings = Settings(**values)  # type: ignore[arg-type]  # Each reader returns its field's type.
    require_allowed(settings)
    return settings


def origins(
    environ: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
) -> dict[str, Origin]:
    """Return where each setting has its value from, as `read_settings` reads it."""
    environ = os.environ if environ is None else environ
    found: dict[str, Origin] = dict.fromkeys(_READERS, "default")
    for name in _READERS:
        if environ.get(PREFIX + name.upper(), "").strip():
            found[name] = "environment"
        if name in (options or {}):
            found[name] = "option"
    if found["database_url"] == "default" != found["data_dir"]:
        found["database_url"] = "data folder"
    return found


def require_allowed(settings: Settings) -> None:
    """Refuse settings that are valid one by one but not together.

    Raises:
        SettingsError: AUTH=off on an address that other machines can reach; several workers on a
            file that one process at a time can open; a certificate without its key; anchors without
            a key, or with one that lies beside what it should protect.
    """
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError(
            f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY belong together: expected both or neither; "
            f"{PREFIX}{'TLS_KEY' if settings.tls_cert else 'TLS_CERT'} is missing."
        )
    _require_apart(settings)
    if settings.workers > 1 and settings.index_url.startswith("milvus+file:"):
        raise SettingsError(
            f"{PREFIX}INDEX_URL names a file of milvus-lite, which one process at a time can open, "
            f"but {PREFIX}WORKERS is {settings.workers}. Set it to 1, or run a Milvus server and "
            "name it as milvus+http://host:19530."
        )
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise SettingsError(
            f"{PREFIX}OIDC_ISSUER names an identity provider, and {PREFIX}OIDC_CLIENT_ID is not "
            "set: set it to the name under which the provider knows this server."
        )
    if settings.auth == "off" and not settings.on_loopback:
        raise SettingsError(
            f"{PREFIX}AUTH=off lets anyone who reaches the server enroll and erase writers, so it "
            f"is allowed on a loopback address only; {PREFIX}HOST is {settings.host!r}. "
            f"Set {PREFIX}AUTH=on, or {PREFIX}HOST=127.0.0.1."
        )


def _require_apart(settings: Settings) -> None:
    """Refuse anchors that nobody signs, or that whoever edits the database could sign."""
    if settings.audit_anchor is not None and settings.audit_key is None:
        raise SettingsError(
            f"{PREFIX}AUDIT_ANCHOR says where anchors go, and nothing signs them. Set "
            f"{PREFIX}AUDIT_KEY too; `countersign audit key create FILE` makes a key."
        )
    key = settings.audit_key
    if key is not None and settings.data_dir.resolve() in key.resolve().parents:
        raise SettingsError(
            f"{PREFIX}AUDIT_KEY: expected a file outside the data folder {settings.data_dir}: "
            "whoever can edit the database must not be able to sign. Move the key."
        )


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost` or a loopback address such as 127.0.0.1 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_secrets(given: dict[str, str]) -> dict[str, str]:
    """Put the contents of files in the place of the variables that name them.

    Raises:
        SettingsError: a file cannot be used, or the value came in both ways.
    """
    values = dict(given)
    for name in SECRETS:
        path = values.pop(name + FILE, None)
        if path is None:
            continue
        variable = f"{PREFIX}{name.upper()}{FILE.upper()}"
        if name in given:
            raise SettingsError(
                f"{variable} and {PREFIX}{name.upper()} are both set; expected one of them. Unset "
                "the other."
            )
        values[name] = _secret_in(Path(path), variable)
    return values


def _secret_in(path: Path, variable: str) -> str:
    expected = f"{variable}: expected a file with the value in it, as one line of text"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1).decode().strip()
    except OSError as error:
        raise SettingsError(f"{expected}; {str(path)!r}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{expected}; {str(path)!r} is not text.") from error
    # What is in the file is not repeated.
    if not content or len(content.splitlines()) > 1 or len(content) > MAX_SECRET_BYTES:
        found = "more than that" if content else "nothing"
        raise SettingsError(f"{expected}; {str(path)!r} holds {found}.")
    return content


def _unknown(name: str) -> str:
    files = [name + FILE for name in SECRETS]
    known = sorted(PREFIX + reader.upper() for reader in (*_READERS, *files))
    close = difflib.get_close_matches(PREFIX + name.upper(), known, n=1)
    hint = f"Did you mean {close[0]}?" if close else "Unset it."
    return (
        f"{PREFIX}{name.upper()} is not a setting of Countersign; the settings are "
        f"{', '.join(known)}. {hint}"
    )


def _database_url(value: str) -> str:
    expected = (
        f"{PREFIX}DATABASE_URL: expected an SQLAlchemy URL such as sqlite:////srv/registry.db or "
        "postgresql+psycopg://user@host/name"
    )
    try:
        url = make_url(value)
    except ArgumentError as error:
        # The value may hold a password, so it is not repeated.
        raise SettingsError(f"{expected}; what came is not a URL.") from error
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(f"{expected}; what came is for {url.get_backend_name()!r}.")
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise SettingsError(
            f"{expected}; what came names no file, and a registry in memory would be lost and "
            "could not be shared by several processes."
        )
    return value


def _index_url(value: str) -> str:
    if value == "faiss:":
        return value
    try:
        read_milvus_url(value)
    except ValueError as error:
        # The value may hold a password, so it is not repeated.
        raise SettingsError(
            f"{PREFIX}INDEX_URL: expected 'faiss:' (an index in each process), or one in Milvus: "
            f"{error}. Unset it for 'faiss:'."
        ) from error
    return value


def _model(value: str) -> Path:
    folder = Path(value)
    if not folder.is_dir():
        raise SettingsError(
            f"{PREFIX}MODEL: expected the folder of a model made by `countersign export`; "
            f"{value!r} is not a folder. Unset it to use the model that ships with Countersign."
        )
    return folder


def _data_dir(value: str) -> Path:
    folder = Path(value)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(
            f"{PREFIX}DATA_DIR: expected a folder, or a path where one can be made; "
            f"{value!r} is a file."
        )
    return folder


def _index_nearest(value: str) -> int:
    if value not in ("1", "10"):
        raise SettingsError(
            f"{PREFIX}INDEX_NEAREST: expected 1 or 10, how many of the nearest references count "
            f"for the recall of a large index; {value!r} came."
        )
    return int(value)


def _auth(value: str) -> str:
    if value.lower() not in {"on", "off"}:
        raise SettingsError(
            f"{PREFIX}AUTH: expected 'on', or 'off' (on a loopback address only); {value!r} came."
        )
    return value.lower()


def _limit(name: str, example: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        # A second's worth of modules, of no use to most commands.
        from limits import parse  # noqa: PLC0415

        if value.lower() == LIMITS_OFF:
            return LIMITS_OFF
        try:
            return str(parse(value)) and value
        except ValueError as error:
            raise SettingsError(
                f"{PREFIX}{name}: expected a number in a time such as {example}, or 'off'; "
                f"{value!r} came."
            ) from error

    return read


def _oidc_issuer(value: str) -> str:
    parsed = urlsplit(value)
    plain = parsed.scheme == "http" and is_loopback(parsed.hostname or "")
    if not (plain or parsed.scheme == "https") or not parsed.hostname or parsed.query:
        raise SettingsError(
            f"{PREFIX}OIDC_ISSUER: expected the https address of an identity provider, as its "
            f"discovery document names it; {value!r} came."
        )
    return value


def _oidc_roles(value: str) -> str:
    pairs = [pair.strip().split("=") for pair in value.split(",")]
    if any(len(pair) != 2 or pair[1] not in OIDC_ROLES for pair in pairs):  # noqa: PLR2004  # A pair.
        raise SettingsError(
            f"{PREFIX}OIDC_ROLES: expected the provider's names with a role of "
            f"{', '.join(OIDC_ROLES)} each, such as tellers=clerk,heads=admin; {value!r} came."
        )
    return ",".join("=".join(pair) for pair in pairs)


def _limits_url(value: str) -> str:
    if value != "registry:" and not value.startswith(("redis://", "rediss://")):
        # The value may hold a password, so it is not repeated.
        raise SettingsError(
            f"{PREFIX}LIMITS_URL: expected 'registry:', or a Redis server as redis://host:6379 or "
            "rediss://host:6379. Unset it for 'registry:'."
        )
    return value


def _host(value: str) -> str:
    host = value.removeprefix("[").removesuffix("]")
    if is_loopback(host):
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise SettingsError(
            f"{PREFIX}HOST: expected an IP address or 'localhost'; {value!r} came."
        ) from error
    return host


def _calibrate(value: str) -> str:
    if value.lower() not in CALIBRATES:
        raise SettingsError(
            f"{PREFIX}CALIBRATE: expected one of {', '.join(CALIBRATES)}; {value!r} came."
        )
    return value.lower()


def _server(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "@" in value:
        # What names a user holds a password, so it is not repeated.
        came = "an address with a user" if "@" in value else repr(value)
        raise SettingsError(
            f"{PREFIX}SERVER: expected the address of a server, such as "
            f"https://countersign.example; {came} came. Unset it to work on the registry itself."
        )
    return value


def _log_level(value: str) -> str:
    if value.lower() not in LOG_LEVELS:
        raise SettingsError(
            f"{PREFIX}LOG_LEVEL: expected one of {', '.join(LOG_LEVELS)}; {value!r} came."
        )
    return value.lower()


def _log_format(value: str) -> str:
    if value.lower() not in LOG_FORMATS:
        raise SettingsError(
            f"{PREFIX}LOG_FORMAT: expected one of {', '.join(LOG_FORMATS)}; {value!r} came."
        )
    return value.lower()


def _file(name: str, what: str) -> Callable[[str], Path]:
    def read(value: str) -> Path:
        path = Path(value)
        if not path.is_file():
            raise SettingsError(
                f"{PREFIX}{name}: expected a file with {what}, as PEM; {value!r} is no file."
            )
        return path

    return read


def _networks(value: str) -> tuple[Network, ...]:
    try:
        found = [ipaddress.ip_network(one.strip("[] ")) for one in value.split(",") if one.strip()]
    except ValueError as error:
        raise SettingsError(
            f"{PREFIX}TRUSTED_PROXIES: expected addresses and networks with commas between them, "
            f"such as 10.0.0.5,192.168.7.0/24; {value!r} came: {error}."
        ) from error
    if any(network.prefixlen == 0 for network in found):
        raise SettingsError(
            f"{PREFIX}TRUSTED_PROXIES: expected your own proxies; {value!r} is every address there "
            "is, so that anybody could pretend to be anybody."
        )
    return tuple(found)


def _whole_number(name: str, least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        digits = value.isascii() and value.isdigit() and len(value) <= len(str(most))
        if not (digits and least <= int(value) <= most):
            raise SettingsError(
                f"{PREFIX}{name}: expected a whole number from {least} to {most}; {value!r} came."
            )
        return int(value)

    return read


def _reject(value: str) -> str:
    if value.lower() not in ("software", "human"):
        raise SettingsError(
            f"{PREFIX}REJECT: expected 'software' (a verdict of no match rejects) or 'human' "
            f"(people alone reject); {value!r} came."
        )
    return value.lower()


def _review_blind(value: str) -> str:
    if value.lower() not in ("on", "off"):
        raise SettingsError(f"{PREFIX}REVIEW_BLIND: expected 'on' or 'off'; {value!r} came.")
    return value.lower()


def _review_sample(value: str) -> str:
    try:
        share = float(value.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not (value.endswith("%") and 0 <= share <= HUNDRED):
        raise SettingsError(
            f"{PREFIX}REVIEW_SAMPLE: expected a share of accepted signatures such as 1%, from 0% "
            f"to 100%; {value!r} came."
        )
    return value


def _audit_key(value: str) -> Path:
    file = Path(value)
    if not file.is_file():
        raise SettingsError(
            f"{PREFIX}AUDIT_KEY: expected the file of a key made by `countersign audit key "
            f"create FILE`; {value!r} is no file."
        )
    return file


def _audit_anchor(value: str) -> str:
    if "://" in value and not value.startswith(("https://", "http://")):
        raise SettingsError(
            f"{PREFIX}AUDIT_ANCHOR: expected a file, or a URL of http or https; another kind of "
            "URL came."
        )
    return value


_READERS: dict[str, Callable[[str], object]] = {
    "database_url": _database_url,
    "data_dir": _data_dir,
    "index_url": _index_url,
    "index_ivf_from": _whole_number("INDEX_IVF_FROM", 1000, 2**40),
    "index_nearest": _index_nearest,
    "model": _model,
    "calibrate": _calibrate,
    "auth": _auth,
    "rate_limit": _limit("RATE_LIMIT", "600/minute"),
    "verify_limit": _limit("VERIFY_LIMIT", "100/hour"),
    "limits_url": _limits_url,
    "oidc_issuer": _oidc_issuer,
    "oidc_client_id": str,
    "oidc_client_secret": str,
    "oidc_role_claim": str,
    "oidc_roles": _oidc_roles,
    "host": _host,
    "port": _whole_number("PORT", 1, 65535),
    "workers": _whole_number("WORKERS", 1, 64),
    "threads": _whole_number("THREADS", 1, 64),
    "requests_per_address": _whole_number("REQUESTS_PER_ADDRESS", 1, 2**20),
    "body_timeout": _whole_number("BODY_TIMEOUT", 1, 300),
    "trusted_proxies": _networks,
    "tls_cert": _file("TLS_CERT", "the certificate and those that vouch for it"),
    "tls_key": _file("TLS_KEY", "the certificate's private key"),
    "keep_decisions": _whole_number("KEEP_DECISIONS", 1, 36_500),
    "log_level": _log_level,
    "log_format": _log_format,
    "server": _server,
    "key": str,  # The client says what it expects of these two, where they are used.
    "key_file": Path,
    "keep_queries": _whole_number("KEEP_QUERIES", 1, 36_500),
    "review_sample": _review_sample,
    "review_blind": _review_blind,
    "review_claim": _whole_number("REVIEW_CLAIM", 1, 1440),
    "reject": _reject,
    "rejecters": _whole_number("REJECTERS", 1, 9),
    "audit_key": _audit_key,
    "audit_anchor": _audit_anchor,
    "audit_anchor_every": _whole_number("AUDIT_ANCHOR_EVERY", 1, 10_080),
}
