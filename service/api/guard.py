"""Refuses requests before any handler sees them: foreign hosts, other sites' pages, huge bodies.

With AUTH=off everyone on this machine is trusted, and so is their browser, which runs pages from
everywhere. A page elsewhere must not be able to drive this server: neither by posting forms across
sites, nor by DNS rebinding, where its own host name comes to point at 127.0.0.1.
"""

from urllib.parse import urlsplit

from flask import Flask, Request, Response, request
from werkzeug.exceptions import LengthRequired

from encoder.imaging.decode import ImageLimits
from service.api.context import settings
from service.api.multipart import MULTIPART
from service.api.requests import MAX_IMAGES
from service.errors import CrossSiteRequest, ForeignHost
from service.settings import is_loopback

MAX_JSON_BYTES = 64 * 2**10
# The most images a request may hold (a comparison: references and a probe), and their envelope.
MAX_BODY_BYTES = (MAX_IMAGES + 1) * ImageLimits().max_image_bytes + MAX_JSON_BYTES
# An image comes with a region, and a form has a few other fields.
MAX_FORM_PARTS = 2 * (MAX_IMAGES + 1) + 12
# For a form's text fields; Werkzeug also holds the 64 KiB pieces that it reads against it.
MAX_FORM_TEXT_BYTES = 4 * MAX_JSON_BYTES

# Where the server names, in a request's environment, why it will not have it answered.
REFUSAL = "countersign.refusal"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Scripts and styles from this origin only, none inline. Pictures may also be `data:` (a cleaned
# signature in an answer) and `blob:` (a file chosen but not yet sent).
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
API_HEADERS = {**SECURITY_HEADERS, "Cache-Control": "no-store"}


def install(app: Flask) -> None:
    """Put the guard before every request of `app`, and the security headers after."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_TEXT_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.before_request(check_request)
    app.after_request(add_security_headers)


def check_request() -> None:
    """Refuse a request that must not reach a handler.

    Raises:
        ServiceError: the server has refused it already, and says why.
        LengthRequired: its body does not say how long it is.
        ForeignHost: it names another host than this machine.
        CrossSiteRequest: it would change something, and comes from another site's page.
    """
    if refusal := request.environ.get(REFUSAL):
        raise refusal
    require_length(request)
    request.max_content_length = body_limit(request.headers.get("Content-Type", ""))
    if settings().auth == "off":
        # With AUTH=on a rebound name gets nothing: browsers send cookies by the name that they
        # know, and a key is sent by a program.
        require_own_host(request)
    if request.method not in SAFE_METHODS:
        require_same_site(request)


def body_limit(content_type: str) -> int:
    """Return how many bytes a body of this media type may have."""
    form = content_type.partition(";")[0].strip().lower() == MULTIPART
    return MAX_BODY_BYTES if form else MAX_JSON_BYTES


def require_length(request: Request) -> None:
    """Refuse a body that does not say how long it is: Werkzeug cuts such a body off at the limit.

    Raises:
        LengthRequired: the header Content-Length is missing.
    """
    if request.mimetype and request.content_length is None:
        raise LengthRequired


def require_own_host(request: Request) -> None:
    """Refuse a Host header that does not name this machine.

    Raises:
        ForeignHost: the header names another host.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback(host):
        raise ForeignHost(
            "This server answers on a loopback address only: expected a Host header of "
            "localhost, 127.0.0.1 or [::1]; another came. Open it under one of these."
        )


def require_same_site(request: Request) -> None:
    """Refuse a state-changing request that a browser sends for a page of another origin.

    Programs send neither header, and pass.

    Raises:
        CrossSiteRequest: the headers Sec-Fetch-Site or Origin tell of another origin.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    own_page = origin is None or origin == request.host_url.rstrip("/")
    if fetch_site not in {"same-origin", "none"} or not own_page:
        raise CrossSiteRequest(
            "Requests that change something are taken from this server's own pages and from "
            "programs; this one came from a page of another origin."
        )


def add_security_headers(response: Response) -> Response:
    """Forbid framing, sniffing and foreign content; keep the API's answers out of caches."""
    present = {name.lower() for name, _ in response.headers}
    wanted = API_HEADERS if request.path.startswith("/v1/") else SECURITY_HEADERS
    for name, value in wanted.items():
        if name.lower() not in present:
            response.headers.add(name, value)
    return response
