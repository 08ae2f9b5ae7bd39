"""Reads the address of a Milvus server, or of a file of milvus-lite, from a URL; opens neither."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("milvus+http", "milvus+https", "milvus+file")
EXPECTED = (
    "expected milvus+http://host:19530, milvus+https://user:password@host:19530/database or "
    "milvus+file:///path/to/index.db; prefix=NAME and index=TYPE may follow a question mark"
)
# What Milvus can build over unit vectors; AUTOINDEX is the server's own choice.
INDEX_TYPES = ("AUTOINDEX", "FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "DISKANN")
_FILE = re.compile(r"/(.*[^/])?[^/]\.db")
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


@dataclass(frozen=True)
class MilvusAddress:
    """Where the index is, and how to get in; `identity` says the same without the secret."""

    uri: str
    token: str = field(default="", repr=False)
    database: str = ""
    prefix: str = "countersign"
    index_type: str = "AUTOINDEX"

    @property
    def is_file(self) -> bool:
        """Whether it is a file of milvus-lite, which one process at a time can open."""
        return "://" not in self.uri

    @property
    def identity(self) -> str:
        """What tells this index from others in the registry."""
        return "/".join((self.uri, self.database, self.prefix))


def is_milvus(url: str) -> bool:
    """Whether a URL is meant for Milvus, be it a valid one or not."""
    return url.partition(":")[0] in SCHEMES


def read_milvus_url(url: str) -> MilvusAddress:
    """Return the address.

    Alone before the @ stands a token; with a colon, user and password.

    Raises:
        ValueError: the URL is no such address; the text repeats nothing of the URL's secrets.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or parts.fragment:
        raise ValueError(EXPECTED)
    options = _options(parts.query)
    scheme = parts.scheme.removeprefix("milvus+")
    if scheme == "file":
        path = unquote(parts.path)
        if (
            parts.netloc
            or not path.startswith("/")
            or not path.removesuffix("/.db").endswith(".db")
        ):
            raise ValueError(f"{EXPECTED}; a file's path begins with / and ends in .db")
        return MilvusAddress(path, **options)
    try:
        host, port = parts.hostname, parts.port or 19530
    except ValueError as error:
        raise ValueError(f"{EXPECTED}; the port is none") from error
    if not host:
        raise ValueError(f"{EXPECTED}; it names no host")
    token = unquote(parts.username or "")
    if parts.password is not None:
        token = f"{token}:{unquote(parts.password)}"
    shown = f"[{host}]" if ":" in host else host
    return MilvusAddress(
        f"{scheme}://{shown}:{port}", token, unquote(parts.path.strip("/")), **options
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "prefix" and _PREFIX.fullmatch(value):
            options["prefix"] = value
        elif name == "index" and value.upper() in INDEX_TYPES:
            options["index_type"] = value.upper()
        else:
            raise ValueError(
                f"{EXPECTED}; prefix is a letter and up to 31 letters, digits or _, index one of "
                f"{', '.join(INDEX_TYPES)}; not so {name}"
            )
    return options
