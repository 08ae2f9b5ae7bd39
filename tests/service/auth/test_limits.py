"""How much a caller may ask for: counted by who they are, by all processes together, in batches."""

import sys
import threading
import time
from dataclasses import replace

import pytest

from index.errors import RegistryUnavailable
from index.registry.access.rate_counts import Count
from index.registry.registry import Registry
from service.api.access import limits
from service.app import create_app
from service.auth import rate_storage
from service.auth.rate_storage import SETTLE_AFTER, RegistryStorage
from service.errors import SettingsError


@pytest.fixture
def limited(services):
    """A client of an application with limits of a test's own."""

    def make(**settings):
        return create_app(
            replace(services, settings=replace(services.settings, **settings))
        ).test_client()

    return make


@pytest.fixture(autouse=True)
def nothing_counted(services):
    services.registry.rate_counts.add({})
    with services.registry._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM rate_counts")


def test_a_caller_may_ask_for_so_much_and_another_too(limited, key):
    client = limited(rate_limit="5/minute")
    one, other = key("read"), key("read")
    answers = [client.get("/v1/writers", headers=one) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["RateLimit-Remaining"] for answer in answers[:5]] == list("43210")
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"5"}
    assert all(0 < int(answer.headers["RateLimit-Reset"]) <= 60 for answer in answers)
    problem = answers[-1].get_json()
    assert (problem["code"], problem["status"]) == ("rate-limited", 429)
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert client.get("/v1/writers", headers=other).status_code == 200


def test_who_is_not_known_is_counted_by_address(limited, key):
    client = limited(rate_limit="5/minute")
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    statuses = [client.get("/v1/writers").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    wrong = {"Authorization": "Bearer x"}
    assert client.get("/v1/writers", headers=wrong).status_code == 429  # Guessing keys, too.
    assert client.get("/v1/writers", environ_base=elsewhere).status_code == 401
    assert client.get("/v1/writers", headers=key("read")).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_whoever_has_many_addresses_of_ipv6_is_counted_once(limited, first, second, same):
    client = limited(rate_limit="2/minute")
    for _ in range(2):
        client.get("/v1/writers", environ_base={"REMOTE_ADDR": first})
    answer = client.get("/v1/writers", environ_base={"REMOTE_ADDR": second})
    assert answer.status_code == (429 if same else 401)


def test_files_and_health_are_not_counted(limited):
    client = limited(rate_limit="2/minute")
    for path in ("/healthz", "/readyz", "/assets/logo.svg", "/", "/openapi.json", "/docs"):
        for _ in range(4):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "RateLimit-Limit" not in answer.headers
            answer.close()


def test_one_writer_is_verified_so_often_by_one_caller(limited, key, files):
    client = limited(verify_limit="3/hour")
    one, other = key("verify", "enroll"), key("verify")
    for writer_id in ("C-1", "C-2"):
        form = {"writer_id": writer_id, "images": files(1, 0)}
        assert client.post("/v1/writers", data=form, headers=one).status_code == 201

    def verify(writer_id, headers):
        probe = {"image": files(1, 9)[0]}
        return client.post(f"/v1/writers/{writer_id}/verify", data=probe, headers=headers)

    answers = [verify("C-1", one) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 3000
    assert verify("C-2", one).status_code == 200
    assert verify("C-1", other).status_code == 200


def test_signing_in_is_limited_by_address_whatever_the_names(limited, monkeypatch):
    monkeypatch.setattr(limits, "SIGN_IN_LIMIT", "4/minute")
    client = limited()
    statuses = [
        client.post("/v1/session", json={"username": f"u{n}", "password": "x"}).status_code
        for n in range(6)
    ]
    assert statuses == [401] * 4 + [429] * 2
    wish = {"link": "x", "password": "correct horse battery"}
    assert client.post("/v1/password", json=wish).status_code == 422


def test_without_sign_in_nothing_is_limited_unless_it_is_said(limited):
    client = limited(auth="off")
    answers = [client.get("/v1/writers") for _ in range(20)]
    assert "RateLimit-Limit" not in answers[-1].headers
    said = limited(auth="off", rate_limit="3/minute")
    assert [said.get("/v1/writers").status_code for _ in range(4)] == [200] * 3 + [429]


def test_a_limit_can_be_switched_off(limited, key):
    client, headers = limited(rate_limit="off"), key("read")
    answers = [client.get("/v1/writers", headers=headers) for _ in range(3)]
    assert all("RateLimit-Limit" not in answer.headers for answer in answers)


@pytest.fixture
def storages(services):
    """Two processes' storages on one registry."""
    other = Registry(services.settings.database_url)
    yield [
        RegistryStorage("registry://", counts=registry.rate_counts)
        for registry in (services.registry, other)
    ]
    other.close()


def test_processes_count_together_up_to_ten_more_for_each(storages):
    limit, passed = 100, 0
    for number in range(400):
        passed += storages[number % 2].incr("key", 3600) <= limit
    assert limit <= passed <= limit + 2 * SETTLE_AFTER


def test_what_another_process_has_settled_is_known_at_the_first_request(storages):
    first, second = storages
    for _ in range(SETTLE_AFTER):
        first.incr("key", 3600)
    assert second.incr("key", 3600) == SETTLE_AFTER + 1
    assert abs(second.get_expiry("key") - first.get_expiry("key")) < 0.01


def test_after_a_second_all_is_settled_with_one_writing(storages, monkeypatch):
    first, second = storages
    for number in range(SETTLE_AFTER - 1):
        first.incr(f"key-{number}", 3600)
    assert second.get("key-0") == 0
    monkeypatch.setattr(rate_storage, "SETTLE_EVERY_S", 0.0)
    first.incr("other", 3600)
    assert [second.get(f"key-{number}") for number in range(SETTLE_AFTER - 1)] == [1] * 9


def test_a_request_writes_nothing_of_its_own(storages, monkeypatch):
    writings = []
    storage = storages[0]
    monkeypatch.setattr(storage._counts, "add", lambda more: writings.append(more) or more)
    monkeypatch.setattr(rate_storage, "SETTLE_EVERY_S", 3600.0)
    for number in range(1000):
        storage.incr(f"key-{number}", 3600)
    assert writings == []


def test_a_window_ends(storages):
    storage = storages[0]
    for _ in range(SETTLE_AFTER):
        storage.incr("key", 1)
    assert storage.get("key") == SETTLE_AFTER
    time.sleep(1.05)
    assert storage.get("key") == 0
    assert storage.incr("key", 1) == 1


def test_threads_lose_no_count(storages, monkeypatch):
    monkeypatch.setattr(rate_storage, "SETTLE_AFTER", 3)
    storage = storages[0]
    threads = [
        threading.Thread(target=lambda: [storage.incr("key", 3600) for _ in range(100)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.settle()
    assert storage.get("key") == 800
    assert storages[1].get("key") == 800


def test_a_registry_that_cannot_be_written_to_loses_no_count(storages, monkeypatch):
    storage = storages[0]
    add = storage._counts.add

    def fail(more):
        raise RegistryUnavailable("no")

    monkeypatch.setattr(storage._counts, "add", fail)
    counted = [storage.incr("key", 3600) for _ in range(25)]
    assert counted == list(range(1, 26))
    monkeypatch.setattr(storage._counts, "add", add)
    storage.settle()
    assert storages[1].get("key") == 25


def test_ended_windows_are_deleted(services):
    counts = services.registry.rate_counts
    counts.add({"a" * 64: Count(3, time.time() - 1)})
    counts.add({"b" * 64: Count(3, time.time() + 60)})
    with services.registry._database.read() as connection:
        left = connection.exec_driver_sql("SELECT key_sha256 FROM rate_counts").scalars().all()
    assert left == ["b" * 64]


def test_neither_callers_nor_writers_are_named_in_what_is_counted(limited, key, monkeypatch):
    client = limited(verify_limit="1/hour")
    asked = []
    known = RegistryStorage._known
    monkeypatch.setattr(
        RegistryStorage, "_known", lambda self, key: asked.append(key) or known(self, key)
    )
    client.post("/v1/writers/C-4711/verify", headers=key("verify"))
    assert asked
    assert not [one for one in asked if "4711" in one or "key:" in one]


def test_a_redis_server_wants_its_client(limited, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"countersign\[redis\]"):
        limited(limits_url="redis://127.0.0.1:1")
