"""The web page for clerks and the pages for signing in; all that they do goes through the API."""

from flask import Blueprint, render_template

from encoder.imaging.reading.formats import MEDIA_TYPES, formats_read
from service.auth.scopes import open_to_all

# What people call a format, where that is not Pillow's name for it.
_CALLED = {"WEBP": "WebP", "HEIF": "HEIC"}
# The endings by which browsers know a format better than by its media type.
_ENDINGS = {"TIFF": [".tif", ".tiff"], "HEIF": [".heic", ".heif"]}

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
@open_to_all
def page() -> str:
    """Return the page; its four views (verify, identify, enroll, writers) are hash routes."""
    kinds = formats_read()
    accept = [MEDIA_TYPES[kind] for kind in kinds]
    accept += [ending for kind in kinds for ending in _ENDINGS.get(kind, [])]
    *most, last = [_CALLED.get(kind, kind) for kind in kinds]
    return render_template(
        "web/page.html", accept=",".join(accept), formats=f"{', '.join(most)} or {last}"
    )


@blueprint.get("/sign-in")
@open_to_all
def sign_in() -> str:
    """Return the page for signing in."""
    return render_template("web/sign_in.html", script="sign_in")


@blueprint.get("/set-password")
@open_to_all
def set_password() -> str:
    """Return the page that a one-time link leads to."""
    return render_template("web/set_password.html", script="set_password")


@blueprint.get("/account")
@open_to_all
def account() -> str:
    """Return the page of one's own account; what it shows comes from the API."""
    return render_template("web/account.html", script="account")
