"""The pages for signing in, without a browser: their fields, and what scripts keep."""

import re
from pathlib import Path

import pytest

import service.web
from service.auth.passwords import is_password, require_good
from service.auth.people import add_user, set_password_by_link
from service.errors import InvalidInput

WEB = Path(service.web.__file__).parent
SCRIPTS = ("account.js", "sign_in.js", "set_password.js", "forms.js")
PASSWORD_FIELDS = {"sign-in": 1, "set-password": 2, "account": 3}


@pytest.mark.parametrize("page", PASSWORD_FIELDS)
def test_passwords_are_masked_and_managers_may_fill_them(client, page):
    text = client.get(f"/{page}").text
    fields = re.findall(r"<input[^>]*-password\"[^>]*>", text)
    assert len(fields) == PASSWORD_FIELDS[page]
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
    scripts = [(WEB / "static" / "js" / name).read_text("utf-8") for name in SCRIPTS]
    assert not [script for script in (text, *scripts) if "paste" in script]
    assert text.count('type="password"') == len(fields)


def test_long_passwords_are_taken(services):
    """Every character of them counts."""
    long = ("correct horse battery staple " * 9)[:255]
    _, token = add_user(services.registry, "ada", "clerk", "test")
    user = set_password_by_link(services.registry, token, f"{long}x")
    assert is_password(f"{long}x", user.password_hash)
    assert not is_password(f"{long}y", user.password_hash)
    with pytest.raises(InvalidInput, match="257 came"):
        require_good(f"{long}xy", "ada")


def test_browsers_keep_the_theme_and_nothing_else():
    kept = {
        path.name: re.findall(r"localStorage|sessionStorage|indexedDB|document\.cookie", text)
        for path in WEB.parent.rglob("*.js")
        if (text := path.read_text(encoding="utf-8"))
    }
    assert {name for name, found in kept.items() if found} == {"theme.js"}
    for path in WEB.parent.rglob("theme.js"):
        text = path.read_text(encoding="utf-8")
        assert "countersign-theme" in text
        assert not re.search(r"name|writer|session[^S]", text.replace("countersign-theme", ""))
