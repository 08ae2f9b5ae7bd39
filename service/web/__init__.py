"""The web page for clerks and its static files; all that it does goes through the HTTP API."""

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
