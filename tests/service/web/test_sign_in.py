"""Signing in with a browser: the link, the sign-in, what a role sees, the account, signing out."""

import threading
from dataclasses import replace

import pyotp
import pytest
from selenium.webdriver.common.keys import Keys
from werkzeug.serving import make_server

from index.registry.schema_version import upgrade
from service.app import create_app
from service.auth.people import add_user, set_password_by_link
from service.composition import build_services, prepare_folders
from service.settings import read_settings
from tests.service.web.conftest import Page, Site

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A site that asks who calls."""
    folder = tmp_path_factory.mktemp("guarded")
    environ = {"COUNTERSIGN_DATA_DIR": str(folder / "data"), "COUNTERSIGN_AUTH": "on"}
    settings = read_settings(environ)
    prepare_folders(settings)
    upgrade(settings.database_url)
    services = build_services(settings)
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    site = Site(f"http://127.0.0.1:{server.port}/", services, folder)
    site.enroll(1, "C-1001")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    services.close()


@pytest.fixture
def page(chromium, guarded, pictures):
    page = Page(chromium, guarded, pictures)
    page.complaints()
    yield page
    assert page.complaints() == []
    page.browser.delete_all_cookies()


def person(site, username, role="clerk"):
    _, token = add_user(site.services.registry, username, role, "test")
    set_password_by_link(site.services.registry, token, PASSWORD)
    return username


def sign_in(page, username, password=PASSWORD):
    page.open("sign-in")
    page.find("#username").send_keys(username)
    page.find("#password").send_keys(password, Keys.ENTER)  # By the keyboard alone.


def at(page, path):
    page.wait(
        lambda: page.browser.current_url.removeprefix(page.site.address).partition("#")[0] == path,
        f"did not come to {path!r}",
    )


def test_without_a_session_the_page_asks_who_one_is(page):
    page.open()
    at(page, "sign-in")
    assert page.find("h1").text == "Sign in"


def test_a_link_sets_a_password_and_one_signs_in_and_out(page, guarded):
    _, token = add_user(guarded.services.registry, "ada", "clerk", "test")
    page.open(f"set-password#{token}")
    page.find("#password").send_keys(PASSWORD)
    page.find("#again").send_keys("something else", Keys.ENTER)
    assert "same" in page.find(".alert").text
    page.find("#again").clear()
    page.find("#again").send_keys(PASSWORD, Keys.ENTER)
    at(page, "sign-in")
    sign_in(page, "ada", "a wrong one")
    assert page.find(".alert").text == "Name, password or code is wrong."
    page.refusals_expected += 1
    page.find("#password").clear()
    page.find("#password").send_keys(PASSWORD, Keys.ENTER)
    at(page, "")
    assert page.find("#who a").text == "ada (clerk)"
    page.find("#who button").click()
    at(page, "sign-in")
    page.open()
    at(page, "sign-in")


def test_what_is_asked_of_the_api_is_asked_as_whoever_is_signed_in(page, guarded):
    sign_in(page, person(guarded, "ben"))
    at(page, "")
    page.choose_writer("verify-writer", "C-1001")
    page.add_files("verify-image", guarded.scan(1, 9))
    page.find("#verify-form [type=submit]").click()
    page.wait(lambda: "match" in page.find("#verify-results").text.lower() or None, "no verdict")
    page.open("#/writers/C-1001")
    page.find("#writers .writer-name, #writers h2")
    last = guarded.services.registry.decisions
    with last._database.read() as connection:
        callers = connection.exec_driver_sql("SELECT caller FROM decisions").scalars().all()
    assert callers == ["user:ben"]


def test_a_role_sees_what_it_may_do(page, guarded):
    sign_in(page, person(guarded, "ann", "auditor"))
    at(page, "")
    page.find("#who a")
    shown = [one.get_attribute("data-view") for one in page.all(".tabs a") if one.is_displayed()]
    assert shown == ["writers"]


def test_an_account_has_sessions_a_second_factor_and_a_password(page, guarded):
    username = person(guarded, "cyn")
    sign_in(page, username)
    at(page, "")
    page.find("#who a").click()
    at(page, "account")
    assert "This one" in page.find("#sessions").text
    page.find("#factor-password").send_keys(PASSWORD, Keys.ENTER)
    secret = page.wait(lambda: page.find("#factor-secret").text or None, "no secret")
    assert page.find("#factor-uri").get_attribute("href").startswith("otpauth://")
    page.find("#factor-code").send_keys(pyotp.TOTP(secret).now(), Keys.ENTER)
    codes = page.find("#recovery-codes").text.split()
    assert len(codes) == 10
    page.find("#who button").click()
    at(page, "sign-in")
    sign_in(page, username)
    page.find("#code").send_keys(codes[0], Keys.ENTER)
    page.refusals_expected += 1
    at(page, "")
    page.open("account")
    page.find("#current").send_keys(PASSWORD)
    page.find("#password-code").send_keys(codes[1])
    page.find("#new-password").send_keys("an entirely new one", Keys.ENTER)
    page.wait(
        lambda: (
            "changed" in page.run("return document.getElementById('announcer').textContent") or None
        ),
        "the password was not changed",
    )
    page.find("#factor-code-again").send_keys(codes[2])
    page.find("#factor-password").send_keys("an entirely new one", Keys.ENTER)
    page.wait(lambda: "Only your" in page.find("#second-factor-state").text or None, "still asked")
    hidden = "return document.getElementById('password-code').parentElement.hidden"
    assert page.run(hidden) is True


def test_going_back_after_signing_out_shows_nothing_of_what_was_shown(page, guarded):
    sign_in(page, person(guarded, "dot"))
    at(page, "")
    page.find("#who a").click()
    at(page, "account")
    page.find("#who button").click()
    at(page, "sign-in")
    page.browser.back()
    at(page, "sign-in")
    sign_in(page, "dot")
    at(page, "")
    page.browser.delete_all_cookies()
    # As a browser says that it shows a page as it was left.
    page.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    at(page, "sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_pages_fit_their_window(page, guarded, width, scheme):
    page.show_as(width, scheme)
    for route in ("sign-in", "set-password#x"):
        page.open(route)
        page.find("form")
        assert page.overflow_px() <= 0
    username = person(guarded, f"fit-{width}-{scheme}")
    sign_in(page, username)
    at(page, "")
    page.find("#who a")
    assert page.overflow_px() <= 0
    page.photograph(f"signed-in-{width}-{scheme}")
    page.open("account")
    page.find("#sessions li")
    assert page.overflow_px() <= 0
    page.photograph(f"account-{width}-{scheme}")
    page.open("sign-in")


def test_on_this_machine_the_page_says_that_there_is_no_sign_in(chromium, guarded, pictures):
    services = guarded.services
    off = replace(services, settings=replace(services.settings, auth="off"))
    server = make_server("127.0.0.1", 0, create_app(off), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    page = Page(chromium, Site(f"http://127.0.0.1:{server.port}/", off, guarded.scans), pictures)
    page.open()
    assert page.find("#who").text == "No sign-in on this machine"
    assert len([one for one in page.all(".tabs a") if one.is_displayed()]) == 4
    server.shutdown()
    thread.join()
