"""The web page for clerks and its static files; all that it does goes through the HTTP API."""

from flask import Blueprint, render_template

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
