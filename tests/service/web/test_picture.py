"""Takes the documentation's picture of the page: a verification of an invented writer's signature.

To renew it, run from the repository's root:

    DOCUMENTATION_PICTURE=docs/images/page.png python -m pytest tests/service/web/test_picture.py

Without the variable the picture is only taken and looked over.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from service.decisions.verify import verify
from service.writers.uploads import Upload

if TYPE_CHECKING:
    from tests.service.web.conftest import Page, Site

MAX_BYTES = 200_000
KEPT = Path(__file__).parents[3] / "docs" / "images" / "page.png"


def test_the_picture_shows_a_decision(page: Page, site: Site, tmp_path: Path) -> None:
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", best_scan(site))
    page.find("#verify-form [type=submit]").click()
    page.pictures_loaded("#verify-decision img")
    taken = Image.open(page.photograph("page")).convert("RGB")
    kept_at = Path(os.environ.get("DOCUMENTATION_PICTURE", tmp_path / "page.png"))
    kept_at.parent.mkdir(parents=True, exist_ok=True)
    # Paper is noisy, and noise is most of the file: a palette drops what nobody sees.
    taken.quantize(128, dither=Image.Dither.NONE).save(kept_at, optimize=True)
    require_fit_for_a_readme(kept_at)


def test_the_documentation_has_its_picture() -> None:
    require_fit_for_a_readme(KEPT)


def best_scan(site: Site) -> Path:
    """The scan of the writer's that agrees best: the picture is to show a plain match."""

    def score(scan: Path) -> float:
        services = site.services
        upload = Upload(scan.name, scan.read_bytes())
        found = verify("C-1001", upload, encoder=services.encoder, registry=services.registry)
        return found.comparison.score

    return max((site.scan(1, n) for n in range(5, 11)), key=score)


def require_fit_for_a_readme(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.width == 1280
        assert len(picture.convert("RGB").getcolors(maxcolors=10**6) or ()) > 50, "it is blank"
    assert path.stat().st_size < MAX_BYTES
