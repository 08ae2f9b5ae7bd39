"""The page's files, without a browser: all named ones exist, and nothing is inline or foreign."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from encoder.imaging.reading import formats
from service.api.guard import CONTENT_SECURITY_POLICY
from service.web import blueprint

STATIC = Path(str(blueprint.static_folder))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
SHEETS = sorted((STATIC / "css").glob("*.css"))


class Markup(HTMLParser):
    """Collects addresses, ids, and whatever a strict policy would block."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.inline.append(f"{tag} {name}={value!r}")
            if name in {"src", "href"} and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.append(value)
            if name in {"for", "aria-labelledby", "aria-describedby", "aria-controls"}:
                self.named.extend((value or "").split())

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(f"{self._inside}: {data.strip()[:40]}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    app = Flask("page", static_folder=None)
    app.register_blueprint(blueprint)
    return app.test_client()


PAGES = ("/", "/sign-in", "/set-password", "/account")
ROOTS = {"app.js", "theme.js", "sign_in.js", "set_password.js", "account.js"}


@pytest.fixture(scope="module")
def markup(client: FlaskClient) -> Markup:
    return Markup(client.get("/").get_data(as_text=True))


@pytest.fixture(params=PAGES, scope="module")
def any_page(client: FlaskClient, request: pytest.FixtureRequest) -> Markup:
    return Markup(client.get(request.param).get_data(as_text=True))


def test_every_file_that_a_page_names_is_served(client: FlaskClient, any_page: Markup) -> None:
    files = {one.partition("#")[0] for one in any_page.addresses if one.startswith("/")}
    assert files
    for address in files:
        assert client.get(address).status_code == 200, address


def test_every_sheet_is_linked(markup: Markup) -> None:
    linked = {Path(one).name for one in markup.addresses if one.endswith(".css")}
    assert linked == {sheet.name for sheet in SHEETS}


def test_every_module_that_a_script_imports_exists_and_is_used() -> None:
    imported = set(ROOTS)
    for script in SCRIPTS:
        names = re.findall(r'from "\./([\w.]+)"', script.read_text())
        imported.update(names)
        for name in names:
            assert (script.parent / name).is_file(), f"{script.name} imports {name}"
    assert imported == {script.name for script in SCRIPTS}


def test_every_icon_exists(markup: Markup) -> None:
    sprite = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    used = {one.partition("#")[2] for one in markup.addresses if "icons.svg#" in one}
    for script in SCRIPTS:
        used.update(re.findall(r'icon\("(\w+)"', script.read_text()))
    assert used <= sprite


def test_nothing_is_inline(any_page: Markup) -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert any_page.inline == []


def test_ids_are_unique_and_labels_point_at_something(any_page: Markup) -> None:
    assert len(any_page.ids) == len(set(any_page.ids))
    assert set(any_page.named) <= set(any_page.ids)


def loaded(script: str) -> set[str]:
    """A script with all that it imports."""
    found, waiting = set(), [script]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            text = (STATIC / "js" / name).read_text()
            waiting += re.findall(r'from "\./([\w.]+)"', text)
    return found


def test_scripts_find_what_they_look_for(any_page: Markup) -> None:
    roots = {Path(one).name for one in any_page.addresses if one.endswith(".js")}
    assert len(roots) == 2
    for name in {one for root in roots for one in loaded(root)}:
        text = (STATIC / "js" / name).read_text()
        looked_for = set(re.findall(r'byId\("([\w-]+)"\)', text))
        assert looked_for <= set(any_page.ids), name


@pytest.mark.parametrize("extras", [True, False])
def test_the_page_offers_the_formats_that_are_read(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, extras: bool
) -> None:
    monkeypatch.setattr(formats, "is_installed", lambda extra: extras)
    page = client.get("/").text
    assert len(re.findall('accept="image/png,image/jpeg,', page)) == 3
    assert ("application/pdf" in page, ".heic" in page) == (extras, extras)
    assert ("HEIC or PDF; just the signature" in page) == extras


def test_no_other_host_is_named() -> None:
    namespace = "http://www.w3.org/2000/svg"
    for path in STATIC.rglob("*.*"):
        foreign = re.findall(r"(?:https?:)?//[\w-]+\.[\w./-]+", path.read_text())
        assert [one for one in foreign if one != namespace] == [], path.name


@pytest.mark.parametrize("path", [*SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours after WCAG 2.2."""

    def luminance(colour: str) -> float:
        shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
        return sum(weight * s for weight, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(theme: str) -> None:
    tokens = (STATIC / "css" / "tokens.css").read_text()
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", tokens)
    colours = {name: light if theme == "light" else dark for name, light, dark in pairs}
    text_on_ground = [("on-accent", "accent"), ("on-accent", "accent-deep")]
    for ground in ("paper", "surface", "sunken", "accent-wash"):
        text_on_ground += [("ink", ground), ("ink-soft", ground), ("accent", ground)]
    for verdict in ("match", "inconclusive", "non-match"):
        text_on_ground += [(verdict, "surface"), (verdict, f"{verdict}-wash")]
    for text, ground in text_on_ground:
        assert contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground}"
    for ground in ("paper", "surface", "sunken"):
        assert contrast(colours["line-strong"], colours[ground]) >= 3, f"edges on {ground}"
