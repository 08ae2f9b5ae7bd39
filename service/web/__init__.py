"""The web page for clerks and its static files; all that it does goes through the HTTP API."""

from flask import Blueprint, Response, render_template

# Scripts, styles and requests from this origin only, and nothing inline. Pictures may also be
# `data:` (the cleaned query signature in an answer) and `blob:` (a file chosen but not yet sent).
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

# "/static" belongs to the application that registers this blueprint, so the page's files have
# their own place.
blueprint = Blueprint(
    "web",
    __name__,
    static_folder="static",
    static_url_path="/assets",
    template_folder="templates",
)


@blueprint.get("/")
def page() -> str:
    """Return the page; its four views (verify, identify, enroll, writers) are hash routes."""
    return render_template("web/page.html")


@blueprint.after_request
def forbid_foreign_content(response: Response) -> Response:
    """Add the headers that keep the page from loading or becoming part of anything foreign."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
