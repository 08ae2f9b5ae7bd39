"""The real server with invented writers enrolled, and Chromium to look at its page with."""

import base64
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server

from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.app import create_app
from service.composition import build_services, prepare_folders
from service.models.live_services import Services
from service.settings import read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

Found = TypeVar("Found")

SEEDS = range(1, 7)
REFERENCES = 5
PATIENCE_S = 15
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@dataclass(frozen=True)
class Site:
    """A running server, and a folder with its users' scans."""

    address: str
    services: Services
    scans: Path

    def scan(self, seed: int, n: int, *, forged: bool = False) -> Path:
        """A file with the n-th signature of an invented writer, or with a forgery of it."""
        path = self.scans / f"{'forged' if forged else 'genuine'}-{seed}-{n}.png"
        if not path.exists():
            writer = synthetic_writer(seed)
            path.write_bytes(encode_png(writer.forgery(n) if forged else writer.genuine(n)))
        return path

    def enroll(self, seed: int, writer_id: str) -> None:
        """Enroll an invented writer with their first signatures."""
        scans = [self.scan(seed, n) for n in range(REFERENCES)]
        create_writer(
            writer_id,
            synthetic_writer(seed).name,
            [Upload(path.name, path.read_bytes()) for path in scans],
            encoder=self.services.encoder,
            registry=self.services.registry,
        )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(folder / "data")})
    prepare_folders(settings)
    upgrade(settings.database_url)
    services = build_services(settings)
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    site = Site(f"http://127.0.0.1:{server.port}/", services, folder)
    for seed in SEEDS:
        site.enroll(seed, f"C-{1000 + seed}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    services.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed: nobody looked at the page")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


class Page:
    """The page in a browser's window, used the way a person uses it."""

    def __init__(self, browser: webdriver.Chrome, site: Site, pictures: Path) -> None:
        self.browser = browser
        self.site = site
        self.pictures = pictures
        self.refusals_expected = 0
        self.show_as(1280)

    def open(self, route: str = "") -> None:
        """Load the page afresh, at a hash route."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.site.address}{route}")

    def show_as(self, width: int, scheme: str = "light") -> None:
        """Give the window a width in CSS pixels, and the reader a wish for light or dark."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def all(self, selector: str) -> list[WebElement]:
        """Everything that fits a CSS selector, shown or not."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector: str) -> WebElement:
        """The first shown element that fits a CSS selector; waits for it."""
        return self.wait(
            lambda: next((one for one in self.all(selector) if one.is_displayed()), None),
            f"nothing shown fits {selector!r}",
        )

    def wait(self, ready: Callable[[], Found | None], complaint: str) -> Found:
        """Wait until `ready` gives something true, and return that."""
        # An element may leave the page between being found and being looked at: look again.
        patience = WebDriverWait(
            self.browser, PATIENCE_S, ignored_exceptions=[StaleElementReferenceException]
        )
        found: Found = patience.until(lambda _: ready(), complaint)
        return found

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return its result."""
        return self.browser.execute_script(script, *arguments)

    def choose_writer(self, combobox: str, typed: str) -> None:
        """Type into a writer combobox, and take the first writer offered."""
        box = self.find(f"#{combobox} input")
        box.clear()
        box.send_keys(typed)
        self.find(f"#{combobox} [role=option][aria-selected=true]").click()

    def add_files(self, field: str, *paths: Path) -> None:
        """Choose files in a dropzone."""
        self.all(f"#{field}-input")[0].send_keys("\n".join(str(path) for path in paths))

    def pictures_loaded(self, selector: str) -> int:
        """How many pictures fit a selector, after all of them have loaded."""
        script = (
            "const all = [...document.querySelectorAll(arguments[0])];"
            "return all.length && all.every((one) => one.complete && one.naturalWidth)"
            "  ? all.length : null"
        )
        return self.wait(lambda: self.run(script, selector), f"{selector!r} did not load")

    def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        return int(
            self.run("const r = document.documentElement; return r.scrollWidth - innerWidth")
        )

    def photograph(self, name: str) -> Path:
        """Save a picture of the whole page, from top to bottom."""
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        self.run("document.activeElement.blur(); scrollTo(0, 0)")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        path = self.pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(taken["data"]))
        return path

    def complaints(self) -> list[str]:
        """What the console said since the last call, but for the answers that were asked for."""
        refused, said = [], []
        for entry in self.browser.get_log("browser"):
            kind = refused if entry["source"] == "network" else said
            kind.append(entry["message"])
        return said + refused[self.refusals_expected :]

    def requested_hosts(self) -> set[str]:
        """Hosts that were asked for anything since the last call."""
        events = (json.loads(e["message"])["message"] for e in self.browser.get_log("performance"))
        addresses = (
            urlsplit(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        )
        return {url.netloc for url in addresses if url.scheme not in {"data", "blob", "about"}}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: the folder that PAGE_PICTURES names, or one that pytest removes."""
    named = os.environ.get("PAGE_PICTURES")
    if not named:
        return tmp_path_factory.mktemp("pictures")
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(chromium: webdriver.Chrome, site: Site, pictures: Path) -> Iterator[Page]:
    """The page, which must neither complain on the console nor ask any other host for anything."""
    page = Page(chromium, site, pictures)
    page.complaints()
    page.requested_hosts()
    yield page
    assert page.complaints() == []
    assert page.requested_hosts() <= {urlsplit(site.address).netloc}
    page.run("localStorage.clear()")
