"""Who asks, by which host and protocol: from the installation's own proxies alone."""

import json
import socket
import time
from ipaddress import ip_network

import pytest

from service.server.bodies import ArrivingBody
from service.server.front import environ_of
from service.server.proxies import as_forwarded

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("192.168.7.5/32"), ip_network("fd00::/8"))


def seen(peer, trusted=TRUSTED, **headers):
    scope = {
        "client": (peer, 40000) if peer else None,
        "scheme": "http",
        "headers": [(b"host", b"internal:8000")]
        + [
            (name.lower().replace("_", "-").encode(), one.encode())
            for name, value in headers.items()
            for one in ([value] if isinstance(value, str) else value)
        ],
    }
    told = as_forwarded(scope, trusted)
    host = dict(told["headers"])[b"host"].decode()
    return told["client"] and told["client"][0], told["scheme"], host


PLAIN = ("http", "internal:8000")


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "192.168.7.6", "::1", "", "fe80::1"])
def test_nobody_else_is_believed(peer):
    found = seen(
        peer,
        X_Forwarded_For="127.0.0.1",
        X_Forwarded_Proto="https",
        X_Forwarded_Host="evil.example",
    )
    assert found == (peer or None, *PLAIN)


def test_a_trusted_proxy_is_believed():
    found = seen(
        "10.0.0.1",
        X_Forwarded_For="203.0.113.9",
        X_Forwarded_Proto="https",
        X_Forwarded_Host="sign.example.org",
    )
    assert found == ("203.0.113.9", "https", "sign.example.org")


@pytest.mark.parametrize(
    ("listed", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        # What a caller wrote in front of what the proxy appended.
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.9.9.9, 203.0.113.9", "203.0.113.9"),
        ("garbage, 203.0.113.9", "203.0.113.9"),
        # Through two of our own.
        ("203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9, 10.0.0.2, 192.168.7.5", "203.0.113.9"),
        # Several headers are one list.
        (["127.0.0.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        # Of our own alone: the first of them asks.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        # What is no address ends the list: nobody further is known.
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        (" , ,", "10.0.0.1"),
    ],
)
def test_the_caller_is_the_last_who_is_no_proxy_of_ours(listed, address):
    assert seen("10.0.0.1", X_Forwarded_For=listed) == (address, *PLAIN)


def test_an_ipv4_proxy_is_known_in_its_ipv6_form():
    assert seen("::ffff:10.0.0.1", X_Forwarded_For="203.0.113.9")[0] == "203.0.113.9"
    assert seen("fd00::1", X_Forwarded_For="2001:db8::7")[0] == "2001:db8::7"


@pytest.mark.parametrize("value", ["ftp", "", "https\x00", "javascript"])
def test_no_other_protocol_is_believed(value):
    assert seen("10.0.0.1", X_Forwarded_Proto=value) == ("10.0.0.1", *PLAIN)


@pytest.mark.parametrize("value", ["a b", "a/b", "x" * 256, "user@host", ""])
def test_no_host_that_is_none_is_believed(value):
    assert seen("10.0.0.1", X_Forwarded_Host=value) == ("10.0.0.1", *PLAIN)


def test_the_nearest_proxy_has_the_last_word():
    found = seen("10.0.0.1", X_Forwarded_Proto="http, https", X_Forwarded_Host="evil, good:8443")
    assert found == ("10.0.0.1", "https", "good:8443")


def test_nothing_of_it_reaches_the_application():
    scope = {
        "client": ("10.0.0.1", 1),
        "server": ("10.0.0.9", 8000),
        "scheme": "http",
        "method": "GET",
        "http_version": "1.1",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [
            (b"x-forwarded-for", b"203.0.113.9"),
            (b"x-forwarded-proto", b"https"),
            (b"forwarded", b"for=1.2.3.4"),
            (b"x-real-ip", b"1.2.3.4"),
            (b"accept", b"*/*"),
        ],
    }
    environ = environ_of(as_forwarded(scope, TRUSTED), ArrivingBody())
    assert environ["REMOTE_ADDR"] == "203.0.113.9"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_ACCEPT"] == "*/*"
    assert not [name for name in environ if "FORWARDED" in name or "REAL_IP" in name]
    untrusted = environ_of(as_forwarded(scope, ()), ArrivingBody())
    assert untrusted["REMOTE_ADDR"] == "10.0.0.1"
    assert not [name for name in untrusted if "FORWARDED" in name or "REAL_IP" in name]


def test_the_guard_asks_for_the_host_and_protocol_that_the_proxy_tells(settings, tmp_path, serving):
    """A page at https://localhost is this server's own where the proxy speaks TLS for it."""
    body = json.dumps({"writer_id": "C-1"}).encode()
    told = {
        "Content-Type": "application/json",
        "Host": "localhost:8000",
        "Origin": "https://localhost",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "localhost",
    }
    with serving(settings, tmp_path / "a") as server:
        assert server.call("POST", "/v1/writers", body, told)[0] == 403
    with serving(
        settings, tmp_path / "b", COUNTERSIGN_TRUSTED_PROXIES="127.0.0.0/8, ::1"
    ) as server:
        assert server.call("POST", "/v1/writers", body, told)[0] == 201
        elsewhere = told | {"X-Forwarded-Host": "evil.example"}
        assert server.call("POST", "/v1/writers", body, elsewhere)[0] == 421


def test_limits_count_the_callers_behind_a_proxy_apart(settings, tmp_path, serving):

    def unfinished(port, address):
        slow = socket.create_connection(("127.0.0.1", port), timeout=30)
        slow.sendall(
            b"POST /v1/writers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"X-Forwarded-For: " + address + b"\r\nContent-Length: 90\r\n\r\n{"
        )
        time.sleep(0.3)
        return slow

    limit = {"COUNTERSIGN_REQUESTS_PER_ADDRESS": "1"}
    trusted = limit | {"COUNTERSIGN_TRUSTED_PROXIES": "127.0.0.1"}
    for variables, expected in ((limit, 429), (trusted, 200)):
        with (
            serving(settings, tmp_path / str(expected), **variables) as server,
            unfinished(server.port, b"203.0.113.1"),
        ):
            other = {"X-Forwarded-For": "203.0.113.2"}
            assert server.call("GET", "/v1/writers", headers=other)[0] == expected
            if variables is trusted:
                same = {"X-Forwarded-For": "203.0.113.1"}
                assert server.call("GET", "/v1/writers", headers=same)[0] == 429
