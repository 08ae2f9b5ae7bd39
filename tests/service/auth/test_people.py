"""People sign in with a password, and a code if they wish; tries that fail slow down the next."""

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import select, update

from index.registry.access import sessions as session_rows
from index.registry.schema import AuditEntryRow, AuditNameRow, SessionRow, SignInTryRow
from service.app import create_app
from service.auth import people, refusals, second_factor
from service.auth.passwords import is_password, require_good
from service.auth.people import add_user, reset_user, set_password_by_link
from service.auth.scopes import OPEN, ROLES, SIGNED_IN
from service.errors import InvalidInput
from tests.service.auth.test_who_may_do_what import TABLE, call

PASSWORD = "correct horse battery"
ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def person(services):
    """Add someone with a password; each test has its own."""
    number = iter(range(1000))

    def make(role="clerk", name=None):
        username = name or f"p{next(number)}-{datetime.now(UTC).timestamp()}"
        _, token = add_user(services.registry, username, role, "test")
        set_password_by_link(services.registry, token, PASSWORD)
        return username

    return make


def shown(username, password=PASSWORD, **more):
    return {"username": username, "password": password, **more}


def sign_in(client, username, password=PASSWORD, **more):
    answer = client.post("/v1/session", json=shown(username, password, **more))
    if answer.status_code == 200:
        client.environ_base["HTTP_X_CSRF_TOKEN"] = answer.get_json()["csrf_token"]
    return answer


def forgive(services, username):
    services.registry.sign_in_tries.clear(people._name_sha256(username))


def entries(services, kind):
    with services.registry._database.read() as connection:
        return connection.execute(
            select(AuditEntryRow.details, AuditNameRow.text)
            .outerjoin(AuditNameRow, AuditNameRow.sequence == AuditEntryRow.sequence)
            .where(AuditEntryRow.kind == kind, AuditNameRow.part == "subject")
            .order_by(AuditEntryRow.sequence)
        ).all()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_its_scopes_say(app, services, person, role):
    client = app.test_client()
    username = person(role)
    assert sign_in(client, username).status_code == 200
    for route, need in TABLE.items():
        if need == SIGNED_IN:
            continue  # Ends the session, or asks for the password.
        answer = call(client, route, {})
        if need == OPEN or need in ROLES[role]:
            assert answer.status_code != 403, (route, role)
            assert answer.status_code != 401 or route == ("POST", "/v1/session"), (route, role)
        else:
            assert answer.status_code == 403, (route, role)
            assert answer.get_json()["scope"] == need


def test_who_is_signed_in_is_told_and_recorded(client, services, person):
    assert client.get("/v1/session").get_json()["username"] is None
    username = person()
    sign_in(client, username)
    told = client.get("/v1/session").get_json()
    assert (told["auth"], told["username"], told["role"]) == ("on", username, "clerk")
    assert told["scopes"] == ["verify", "identify", "enroll", "read"]
    assert entries(services, "sign-in.done")[-1].text == f"user:{username}"


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(client, person):
    username = person()
    plain = client.post("/v1/session", json=shown(username)).headers["Set-Cookie"]
    assert plain.startswith("countersign=")
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in plain
    for attribute in ("Secure", "Domain", "Expires", "Max-Age"):
        assert attribute not in plain
    tls = client.post("/v1/session", json=shown(username), base_url="https://localhost")
    assert tls.headers["Set-Cookie"].startswith("__Host-countersign=")
    assert "Secure" in tls.headers["Set-Cookie"]


def test_behind_tls_a_cookie_without_the_promise_is_not_taken(client, person):
    cookie = client.post("/v1/session", json=shown(person())).headers["Set-Cookie"].split(";")[0]
    answer = client.get("/v1/writers", base_url="https://localhost", headers={"Cookie": cookie})
    assert answer.status_code == 401


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_a_cookie_alone_changes_nothing(client, person, token):
    sign_in(client, person())
    del client.environ_base["HTTP_X_CSRF_TOKEN"]
    headers = {} if token is None else {"X-CSRF-Token": token}
    answer = client.post("/v1/writers", json={"writer_id": "C-csrf"}, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross-site-request")
    assert client.get("/v1/writers/C-csrf").status_code == 404


def test_another_sessions_token_changes_nothing(app, person):
    first, second = app.test_client(), app.test_client()
    sign_in(first, person())
    sign_in(second, person())
    stolen = {"X-CSRF-Token": first.environ_base["HTTP_X_CSRF_TOKEN"]}
    answer = second.post("/v1/writers", json={"writer_id": "C-x"}, headers=stolen)
    assert answer.status_code == 403


def test_another_sites_page_cannot_sign_anybody_in(client, person):
    """Nor out: a person would work under the name of an attacker."""
    headers = {"Origin": "https://evil.example"}
    answer = client.post("/v1/session", json=shown(person()), headers=headers)
    assert answer.status_code == 403


def test_signing_out_ends_the_session_and_no_other(app, person):
    username = person()
    first, second = app.test_client(), app.test_client()
    sign_in(first, username)
    sign_in(second, username)
    cookie = first.get_cookie("countersign").value
    assert first.delete("/v1/session").status_code == 204
    assert first.get_cookie("countersign") is None
    first.set_cookie("countersign", cookie)
    assert first.get("/v1/writers").status_code == 401
    assert second.get("/v1/writers").status_code == 200


def test_sessions_are_listed_and_ended(app, person):
    username = person()
    first, second = app.test_client(), app.test_client()
    sign_in(first, username)
    sign_in(second, username)
    listed = first.get("/v1/sessions").get_json()["sessions"]
    assert [one["current"] for one in listed] == [False, True]
    other = next(one["session_id"] for one in listed if not one["current"])
    assert first.delete(f"/v1/sessions/{other}").status_code == 204
    assert second.get("/v1/writers").status_code == 401
    assert first.delete(f"/v1/sessions/{other}").status_code == 404
    third = app.test_client()
    sign_in(third, person())
    mine = first.get("/v1/sessions").get_json()["sessions"][0]["session_id"]
    assert third.delete(f"/v1/sessions/{mine}").status_code == 404  # Another's.


@pytest.mark.parametrize(
    ("column", "age", "holds"),
    [
        ("seen_at", session_rows.IDLE - timedelta(minutes=1), True),
        ("seen_at", session_rows.IDLE, False),
        ("created_at", session_rows.LONGEST - timedelta(minutes=1), True),
        ("created_at", session_rows.LONGEST, False),
    ],
)
def test_a_session_ends_by_itself(client, services, person, column, age, holds):
    username = person()
    sign_in(client, username)
    with services.registry._database.write() as connection:
        connection.execute(
            update(SessionRow)
            .where(SessionRow.username == username)
            .values({column: datetime.now(UTC) - age})
        )
    assert client.get("/v1/writers").status_code == (200 if holds else 401)
    listed = services.registry.sessions.of_user(username)
    assert bool(listed) == holds
    if holds and column == "seen_at":  # Being used keeps it.
        assert datetime.now(UTC) - listed[0].seen_at < timedelta(minutes=1)


def test_another_role_counts_at_once_and_a_disabled_person_is_out(client, services, person):
    username = person("admin")
    sign_in(client, username)
    assert client.get("/v1/keys").status_code == 200
    services.registry.users.set_role(username, "auditor", "test")
    assert client.get("/v1/keys").status_code == 403
    services.registry.users.disable(username, "test")
    assert client.get("/v1/writers").status_code == 401
    assert sign_in(client, username).status_code == 401


@pytest.mark.parametrize("which", ["unknown", "wrong password", "invited", "disabled"])
def test_a_refusal_does_not_say_what_was_wrong(client, services, person, which):
    username, password = person(), PASSWORD
    if which == "unknown":
        username = "nobody-at-all"
    elif which == "wrong password":
        password = "another password"
    elif which == "invited":
        username = f"{username}-new"
        add_user(services.registry, username, "clerk", "test")
    else:
        services.registry.users.disable(username, "test")
    answer = sign_in(client, username, password)
    assert answer.status_code == 401
    body = answer.get_json()
    assert (body["code"], body["detail"]) == (
        "sign-in-refused",
        "Name, password or code is wrong.",
    )
    assert "Set-Cookie" not in answer.headers
    forgive(services, username)


def test_an_unknown_name_takes_as_long_as_a_known_one(client, services, person):
    known = person()
    took = {known: [], "nobody-here": []}
    for _ in range(8):
        for username, times in took.items():
            forgive(services, username)
            started_s = time.perf_counter()
            assert sign_in(client, username, "a wrong password").status_code == 401
            times.append(time.perf_counter() - started_s)
    known_s, unknown_s = (statistics.median(times) for times in took.values())
    assert 0.6 < unknown_s / known_s < 1.6
    assert unknown_s > 0.01  # A hash was computed.


@pytest.mark.parametrize("known", [True, False])
def test_tries_that_fail_slow_down_the_next_until_it_waits_for_an_hour(
    client, services, person, known
):
    username = person() if known else f"nobody-{time.time()}"

    waits = []
    for _ in range(people.PATIENCE.locked):
        answer = sign_in(client, username, "wrong password")
        if answer.status_code == 429:
            waits.append(int(answer.headers["Retry-After"]))
            assert sign_in(client, username).status_code == 429  # The right one too.
            wait_s = waits[-1]
            with services.registry._database.write() as connection:
                row = connection.execute(
                    select(SignInTryRow.last_at).where(
                        SignInTryRow.name_sha256 == people._name_sha256(username)
                    )
                ).scalar_one()
                connection.execute(
                    update(SignInTryRow)
                    .where(SignInTryRow.name_sha256 == people._name_sha256(username))
                    .values(last_at=row - timedelta(seconds=wait_s))
                )
            answer = sign_in(client, username, "wrong password")
        assert answer.status_code == 401
    assert waits == [1, 2, 4, 8, 16, 32, 64]
    answer = sign_in(client, username)
    assert answer.status_code == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    locked = [one.text for one in entries(services, "sign-in.locked")]
    assert (f"user:{username}" in locked) == known


def test_tries_at_once_are_counted_before_they_are_checked(client, services, person):
    """Else a hundred at the same moment would all be free."""
    username = person()
    name = people._name_sha256(username)
    begun = [services.registry.sign_in_tries.begin(name, people.PATIENCE, None) for _ in range(9)]
    assert begun[:3] == [0.0] * 3
    assert all(wait > 0 for wait in begun[3:])


def test_signing_in_forgets_failures(client, person):
    username = person()
    for _ in range(6):
        for _ in range(2):
            assert sign_in(client, username, "wrong password").status_code == 401
        assert sign_in(client, username).status_code == 200


def test_failures_are_written_in_sums(client, services, monkeypatch):
    for number in range(20):
        sign_in(client, f"nobody-{number}-{time.time()}", "wrong password")
    monkeypatch.setattr(refusals, "EVERY_S", 0.0)
    client.get("/v1/writers")
    with services.registry._database.read() as connection:
        details = connection.execute(
            select(AuditEntryRow.details)
            .where(AuditEntryRow.kind == "sign-in.failed")
            .order_by(AuditEntryRow.sequence.desc())
        ).scalars().all()  # fmt: skip
    assert sum(one["password"] for one in details[:2]) >= 20
    assert details[0]["password"] >= 19


def test_a_link_sets_a_password_once(client, services):
    username = f"new-{time.time()}"
    _, token = add_user(services.registry, username, "clerk", "test")
    wish = {"link": token, "password": PASSWORD}
    short = client.post("/v1/password", json={**wish, "password": "short"})
    assert (short.status_code, list(short.get_json()["fields"])) == (422, ["password"])
    assert client.post("/v1/password", json=wish).status_code == 204
    again = client.post("/v1/password", json={**wish, "password": "another long one"})
    assert (again.status_code, list(again.get_json()["fields"])) == (422, ["link"])
    assert sign_in(client, username).status_code == 200


def test_a_link_holds_for_a_day(client, services, monkeypatch):
    monkeypatch.setattr(people, "LINK_LASTS", timedelta(0))
    _, token = add_user(services.registry, f"late-{time.time()}", "clerk", "test")
    answer = client.post("/v1/password", json={"link": token, "password": PASSWORD})
    assert answer.status_code == 422


def test_a_reset_ends_sessions_and_takes_the_password(client, services, person):
    username = person()
    sign_in(client, username)
    _, token = reset_user(services.registry, username, "test")
    assert client.get("/v1/writers").status_code == 401
    assert sign_in(client, username).status_code == 401
    set_password_by_link(services.registry, token, "an entirely new one")
    forgive(services, username)
    assert sign_in(client, username, "an entirely new one").status_code == 200


def test_changing_a_password_ends_the_other_sessions(app, services, person):
    username = person()
    first, second = app.test_client(), app.test_client()
    sign_in(first, username)
    sign_in(second, username)
    wrong = first.put("/v1/password", json={"current": "wrong", "password": "an entirely new one"})
    assert wrong.status_code == 401
    wish = {"current": PASSWORD, "password": "an entirely new one"}
    assert first.put("/v1/password", json=wish).status_code == 204
    assert first.get("/v1/writers").status_code == 200
    assert second.get("/v1/writers").status_code == 401
    assert sign_in(second, username, "an entirely new one").status_code == 200


def test_a_second_factor_is_asked_for_once_it_was_shown(client, services, person):
    username = person()
    sign_in(client, username)
    assert client.post("/v1/second-factor", json={"password": "wrong"}).status_code == 401
    offered = client.post("/v1/second-factor", json={"password": PASSWORD}).get_json()
    assert offered["uri"].startswith("otpauth://totp/Countersign:")
    assert sign_in(client, username).status_code == 200  # Not confirmed yet.
    totp = pyotp.TOTP(offered["secret"])
    assert client.put("/v1/second-factor", json={"code": "000000"}).status_code == 401
    now = datetime.now(UTC)
    earlier = totp.at(now - timedelta(seconds=30))
    confirmed = client.put("/v1/second-factor", json={"code": earlier})
    codes = confirmed.get_json()["recovery_codes"]
    assert len(set(codes)) == 10
    needed = sign_in(client, username)
    assert (needed.status_code, needed.get_json()["code"]) == (401, "code-needed")
    assert sign_in(client, username, "wrong password").get_json()["code"] == "sign-in-refused"
    forgive(services, username)
    assert sign_in(client, username, code=earlier).status_code == 401  # Used already.
    assert sign_in(client, username, code=totp.at(now - timedelta(seconds=300))).status_code == 401
    forgive(services, username)
    code = totp.now()
    assert sign_in(client, username, code=f"{code[:3]} {code[3:]}").status_code == 200
    assert sign_in(client, username, code=code).status_code == 401
    assert sign_in(client, username, code=codes[0].lower()).status_code == 200
    assert sign_in(client, username, code=codes[0]).status_code == 401
    removal = "/v1/second-factor/removal"
    forgive(services, username)
    assert sign_in(client, username, code=codes[1]).status_code == 200
    assert client.post(removal, json={"password": "x", "code": codes[2]}).status_code == 401
    forgive(services, username)
    assert client.post(removal, json={"password": PASSWORD, "code": codes[2]}).status_code == 204
    assert sign_in(client, username).status_code == 200


@pytest.fixture
def with_factor(app, services, person):
    """Someone of whom codes are asked: their client, name, and recovery codes."""
    username, client = person(), app.test_client()
    sign_in(client, username)
    offered = client.post("/v1/second-factor", json={"password": PASSWORD}).get_json()
    confirmed = client.put("/v1/second-factor", json={"code": pyotp.TOTP(offered["secret"]).now()})
    return client, username, confirmed.get_json()["recovery_codes"]


def test_how_one_signs_in_is_changed_only_with_all_that_one_signs_in_with(services, with_factor):
    """A session that was left open, and a password that was seen, are not enough."""
    client, username, codes = with_factor
    changes = [
        ("PUT", "/v1/password", {"current": PASSWORD, "password": "an entirely new one"}),
        ("POST", "/v1/second-factor", {"password": PASSWORD}),
        ("POST", "/v1/second-factor/removal", {"password": PASSWORD}),
    ]
    for method, path, wish in changes:
        forgive(services, username)
        answer = client.open(path, method=method, json=wish)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "code-needed"), path
        answer = client.open(path, method=method, json={**wish, "code": "000000"})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "sign-in-refused"), path
    forgive(services, username)
    assert services.registry.users.find(username).has_second_factor
    method, path, wish = changes[0]
    assert client.open(path, method=method, json={**wish, "code": codes[0]}).status_code == 204


def test_a_refused_new_password_uses_up_no_code(services, with_factor):
    client, username, codes = with_factor
    wish = {"current": PASSWORD, "code": codes[0], "password": "short"}
    assert client.put("/v1/password", json=wish).status_code == 422
    assert len(services.registry.users.find(username).recovery_sha256) == len(codes)


def test_another_app_is_taken_only_after_the_first_was_given_up(services, with_factor):
    """Else asking for one would switch the second factor off, and the chain would not say so."""
    client, username, codes = with_factor
    answer = client.post("/v1/second-factor", json={"password": PASSWORD, "code": codes[0]})
    assert answer.status_code == 422
    assert "Stop using" in answer.get_json()["detail"]
    user = services.registry.users.find(username)
    assert user.has_second_factor
    # Nor does a code that was seen give anybody new recovery codes.
    answer = client.put("/v1/second-factor", json={"code": pyotp.TOTP(user.totp_secret).now()})
    assert answer.status_code == 401
    assert len(services.registry.users.find(username).recovery_sha256) == len(codes) - 1


@pytest.mark.parametrize("change", ["confirmed", "removed"])
def test_other_sessions_end_with_a_change_of_the_second_factor(
    app, services, person, with_factor, change
):
    if change == "removed":
        client, username, codes = with_factor
        other = app.test_client()
        sign_in(other, username, code=codes[0])
    else:
        username, client, other = person(), app.test_client(), app.test_client()
        sign_in(client, username)
        sign_in(other, username)
    assert other.get("/v1/writers").status_code == 200
    if change == "removed":
        wish = {"password": PASSWORD, "code": codes[1]}
        assert client.post("/v1/second-factor/removal", json=wish).status_code == 204
    else:
        secret = client.post("/v1/second-factor", json={"password": PASSWORD}).get_json()["secret"]
        assert other.get("/v1/writers").status_code == 200  # Nothing is changed yet.
        client.put("/v1/second-factor", json={"code": pyotp.TOTP(secret).now()})
    assert client.get("/v1/writers").status_code == 200
    assert other.get("/v1/writers").status_code == 401


def test_recovery_codes_cannot_be_guessed_from_their_hashes(with_factor):
    """112 bits and more need no slow hash; a letter of base32 has five."""
    for code in with_factor[2]:
        assert 5 * len(second_factor.plain(code)) >= 112


def test_signing_in_again_ends_the_session_before(app, services, person):
    """And takes no token that somebody else has put there."""
    first, second = person(), person("auditor")
    client, kept = app.test_client(), app.test_client()
    client.set_cookie("countersign", "a token of an attacker's")
    sign_in(client, first)
    before = client.get_cookie("countersign").value
    assert before != "a token of an attacker's"
    kept.set_cookie("countersign", before)
    assert kept.get("/v1/writers").status_code == 200
    sign_in(client, second)
    assert kept.get("/v1/writers").status_code == 401
    assert services.registry.sessions.of_user(first) == []


def test_guessing_codes_is_slowed_down_like_guessing_passwords(client, services, person):
    username = person()
    secret, _ = second_factor.offer(services.registry, username)
    user = services.registry.users.find(username)
    second_factor.confirm(services.registry, user, pyotp.TOTP(secret).now(), "none")
    statuses = [sign_in(client, username, code=f"{n:06}").status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_a_key_is_nobody_who_signs_in(client, key):
    headers = key("admin")
    for method, path in [("GET", "/v1/sessions"), ("DELETE", "/v1/session"),
                         ("PUT", "/v1/password"), ("POST", "/v1/second-factor")]:  # fmt: skip
        answer = client.open(path, method=method, headers=headers, json={})
        assert answer.status_code == 401, path


def test_a_key_needs_no_csrf_token(client, key):
    answer = client.post("/v1/writers", json={"writer_id": "C-prog"}, headers=key("enroll"))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "x" * 257,
        "password1234",
        "PASSWORD1234",
        "1234password",
        "123456789012",
        "210987654321",
        "qwertyuiopas",
        "abcdefghijklm",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "passwordpassword",
        "countersign1",
        "Countersign!!!",
        "adalovelace1",
    ],
)
def test_passwords_that_others_would_guess_are_refused(password):
    with pytest.raises(InvalidInput, match="password: expected"):
        require_good(password, "adalovelace")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Ünïcödé Wörter",
        "xkcd936-staple",
        "724039185526",
        "ab" * 3 + "xyzw42",
    ],
)
def test_good_passwords_need_no_composition(password):
    require_good(password, "adalovelace")


def test_the_same_letters_are_the_same_password_however_composed(services):
    username = f"zoe-{time.time()}"
    _, token = add_user(services.registry, username, "clerk", "test")
    user = set_password_by_link(services.registry, token, "Zo\u00eb's long password")
    assert is_password("Zoe\u0308's long password", user.password_hash)
    assert not is_password("Zoe's long password", user.password_hash)
    assert user.password_hash.startswith("$argon2id$")
    assert not is_password("anything", "no hash")
    assert not is_password("nobody's password", None)


def test_nobody_signs_in_where_nobody_is_asked(services):
    off = replace(services, settings=replace(services.settings, auth="off"))
    client = create_app(off).test_client()
    told = client.get("/v1/session").get_json()
    assert (told["auth"], told["username"], told["csrf_token"]) == ("off", None, None)
    assert client.post("/v1/session", json=shown("ada")).status_code == 409
