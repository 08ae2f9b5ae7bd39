"""What both clients send, and what they make of what comes; answers have the contract's shapes."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

import service.client
from service.client import AsyncClient, Client, Image, operations
from service.client.answers import Region
from service.client.connection import USER_AGENT
from service.client.errors import Misconfigured, UnexpectedAnswer

KEY = "cs_ab12_verysecret"
NEW_KEY = {
    "prefix": "ab12",
    "name": "till",
    "scopes": ["verify"],
    "state": "valid",
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2026-05-01T12:00:00+00:00",
    "last_used_at": None,
    "replaced_by": None,
    "key": KEY,
}
DECISION = {
    "decision_id": "5f3c",
    "decided_at": "2026-01-31T12:00:00Z",
    "kind": "verify",
    "verdict": "inconclusive",
    "writer_id": "C-1",
    "score": 0,
    "caller": "key:ab12",
    "state": "whole",
    "chain": {"sha256": "00"},
}
WRITER = {
    "writer_id": "C-1",
    "name": "Ada",
    "reference_count": 0,
    "created_at": "2026-01-31T12:00:00Z",
}


def test_both_clients_have_every_operation():
    offered = {
        name
        for name, one in vars(operations).items()
        if name[0].islower() and getattr(one, "__module__", "") == operations.__name__
    }
    assert len(offered) == 27
    for kind in (Client, AsyncClient):
        for name in offered:
            assert getattr(kind, name).__doc__ == getattr(operations, name).__doc__


def test_a_name_that_is_none_is_told():
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        service.client.Klient  # noqa: B018


def test_answers_are_read_without_what_sends_requests():
    program = "import sys, service.client.answers; print('httpx' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(service.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_request_names_its_sender(server, asker):
    server.say({"keys": []})
    with asker(server.address, key=KEY) as client:
        assert client.all("keys") == []
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["user-agent"] == USER_AGENT
    assert USER_AGENT.startswith("countersign-client/")
    assert "idempotency-key" not in seen.headers


def test_the_key_comes_from_an_argument_a_file_or_the_environment(
    server, asker, tmp_path, monkeypatch
):
    server.say({"keys": []})
    file = tmp_path / "key"
    file.write_text("cs_file_one\n")
    monkeypatch.setenv("COUNTERSIGN_KEY_FILE", str(file))
    with asker(server.address) as client:
        client.all("keys")
    monkeypatch.setenv("COUNTERSIGN_KEY", "cs_env_two")
    for options in ({}, {"key_file": file}, {"key": "cs_arg_three"}):
        with asker(server.address, **options) as client:
            client.all("keys")
    sent = [one.headers["authorization"].removeprefix("Bearer ") for one in server.seen]
    assert sent == ["cs_file_one", "cs_env_two", "cs_file_one", "cs_arg_three"]


def test_without_a_key_none_is_sent(server, asker):
    server.say({"keys": []})
    with asker(server.address) as client:
        client.all("keys")
    assert "authorization" not in server.seen[0].headers


def test_the_key_is_in_no_repr_and_in_no_log(server, asker, caplog):
    caplog.set_level(logging.DEBUG)
    server.say((201, NEW_KEY, {}))
    with asker(server.address, key=KEY) as client:
        made = client.ask("create_key", "till", ["verify"], expires_in="90d")
        assert made.key == KEY
        shown = [repr(made), repr(client.client), repr(vars(client.client)), caplog.text]
    assert json.loads(server.seen[0].body) == {
        "name": "till",
        "scopes": ["verify"],
        "expires_in": "90d",
    }
    assert caplog.records
    assert [one for one in shown if "verysecret" in one] == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("countersign.example", "address of a server"),
        ("ftp://countersign.example", "address of a server"),
        ("http://", "address of a server"),
        ("http://host:99999", "address of a server"),
        ("http://[::1", "address of a server"),
        ("http://host/?a=1", "address of a server"),
        ("http://ada:geheim@host", "names a user"),
    ],
)
def test_an_address_that_is_none_is_refused(asker, address, words):
    with pytest.raises(Misconfigured, match=words) as refused, asker(address):
        pass
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("key", ["", " ", "two words", "ümlaut", "line\nbreak", "nul\0"])
def test_a_key_that_is_none_is_refused_and_not_repeated(asker, key):
    with (
        pytest.raises(Misconfigured, match="Expected a key") as refused,
        asker("http://h", key=key),
    ):
        pass
    assert not key.strip() or key not in str(refused.value)


def test_a_key_file_that_cannot_be_read_is_named(asker, tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, words in (("missing", "cannot be read"), ("bytes", "holds no text")):
        with (
            pytest.raises(Misconfigured, match=words) as refused,
            asker("http://h", key_file=tmp_path / name),
        ):
            pass
        assert name in str(refused.value)


def test_an_address_may_have_a_path(server, asker):
    server.say(WRITER)
    with asker(f"{server.address}/countersign/") as client:
        client.ask("writer", "C:1@x.y-z")
    assert server.asked == [("GET", "/countersign/v1/writers/C:1@x.y-z")]


@pytest.mark.parametrize("writer_id", ["", ".", ".."])
def test_an_id_that_means_another_address_is_not_sent(asker, writer_id):
    with asker("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="Expected an id"):
        client.ask("erase_writer", writer_id)


def test_an_id_is_quoted(server, asker):
    server.say(WRITER)
    with asker(server.address) as client:
        client.ask("writer", "a/b?c#d%20")
    assert server.asked == [("GET", "/v1/writers/a%2Fb%3Fc%23d%2520")]


def test_images_come_from_anywhere(server, asker, tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"from a path")
    server.say((201, {"references": [], "refused": [], "warnings": []}, {}))
    with asker(server.address) as client:
        client.ask(
            "add_references",
            "C-1",
            [path, str(path), b"bytes", BytesIO(b"a file"), Image(b"named", "n.png")],
            regions=[None, "1,2,3,4", Region(5, 6, 7, 8), {"x": 9, "y": 1, "w": 2, "h": 3}, None],
        )
    body = server.seen[0].body
    assert server.seen[0].headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (b"from a path", b"bytes", b"a file", b"named", b'filename="n.png"', b"scan.png"):
        assert part in body
    regions = [x.split(b"\r\n\r\n")[1].split(b"\r\n")[0] for x in body.split(b'name="region"')[1:]]
    assert regions == [b"all", b"1,2,3,4", b"5,6,7,8", b"9,1,2,3", b"all"]


def test_a_list_is_asked_for_page_by_page(server, asker):
    first = {"writers": [WRITER], "next_cursor": "abc"}
    last = {"writers": [WRITER | {"writer_id": "C-2"}], "next_cursor": None}
    server.say(first, last)
    with asker(server.address) as client:
        found = client.all("writers", "ada", page_size=1)
    assert [one.writer_id for one in found] == ["C-1", "C-2"]
    assert found[0].created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert server.asked == [
        ("GET", "/v1/writers?q=ada&limit=1"),
        ("GET", "/v1/writers?q=ada&limit=1&cursor=abc"),
    ]


def test_an_etag_goes_back_as_if_match(server, asker):
    server.say((200, WRITER, {"ETag": '"7"'}), WRITER, (204, b"", {}))
    with asker(server.address) as client:
        shown = client.ask("writer", "C-1")
        client.ask("rename_writer", "C-1", "Bo", if_match=shown.etag)
        assert client.ask("erase_writer", "C-1", if_match=shown.etag) == ()
    assert [one.headers.get("if-match") for one in server.seen] == [None, '"7"', '"7"']
    assert server.seen[1].body == b'{"name":"Bo"}'


def test_decisions_are_filtered(server, asker):
    server.say({"decisions": [DECISION], "next_cursor": None})
    with asker(server.address) as client:
        (one,) = client.all(
            "decisions",
            writer_id="C-1",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            reviewed=False,
        )
    assert (one.verdict, one.caller, one.raw["chain"]) == (
        "inconclusive",
        "key:ab12",
        {"sha256": "00"},
    )
    moment = "2026-01-01T00%3A00%3A00%2B00%3A00"
    assert server.asked == [
        ("GET", f"/v1/decisions?writer_id=C-1&reviewed=false&limit=200&from={moment}"),
    ]


def test_what_an_erasure_leaves_under_a_hold_is_told(server, asker):
    held = {"decision_id": "5f3c", "reason": "12 O 34/26", "held_until": "2029-05-04T00:00:00Z"}
    server.say({"held": [held]})
    with asker(server.address) as client:
        (one,) = client.ask("erase_writer", "C-1")
    assert (one.decision_id, one.reason, one.held_until.year) == ("5f3c", "12 O 34/26", 2029)


def test_bodies_are_handed_on_as_they_come(server, asker):
    content = bytes(range(256)) * 1000
    server.say((200, content, {"Content-Type": "application/zip"}))
    with asker(server.address) as client:
        media_type, pieces = client.fetch("decision_evidence", "5f3c")
        assert client.fetch("decision_image", "5f3c")[0] == "application/zip"
        client.fetch("reference_image", "C-1", 17, cleaned=True)
    assert (media_type, b"".join(pieces)) == ("application/zip", content)
    assert server.asked == [
        ("GET", "/v1/decisions/5f3c/evidence"),
        ("GET", "/v1/decisions/5f3c/image"),
        ("GET", "/v1/writers/C-1/references/17/image?cleaned=true"),
    ]


def test_keys_are_listed_rotated_and_revoked(server, asker):
    server.say({"keys": [NEW_KEY]}, (201, NEW_KEY, {}), (204, b"", {}))
    with asker(server.address) as client:
        (listed,) = client.all("keys")
        assert listed.scopes == ("verify",)
        assert not hasattr(listed, "key")
        assert client.ask("rotate_key", "ab12").key == KEY
        client.ask("revoke_key", "ab12")
    assert server.asked[1:] == [("POST", "/v1/keys/ab12/rotate"), ("DELETE", "/v1/keys/ab12")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>", {"Content-Type": "text/html"}), "text/html came"),
        ((200, b"{", {}), "breaks off"),
        ({"name": "Ada"}, "ShownWriter.writer_id: expected this field"),
        (WRITER | {"reference_count": "3"}, r"reference_count: expected int .* str came"),
        (WRITER | {"reference_count": True}, r"reference_count: expected int .* bool came"),
        (WRITER | {"name": None}, r"name: expected str .* null came"),
        (WRITER | {"created_at": "yesterday"}, "created_at: expected a moment"),
        (WRITER | {"references": {}}, "references: expected a list"),
        (WRITER | {"references": [7]}, r"references\[0\]: expected an object"),
        ([WRITER], "expected an object"),
        ((302, b"", {"Location": "http://elsewhere.example/"}), "points elsewhere"),
    ],
)
def test_what_is_no_answer_of_this_api_is_told(server, asker, answer, words):
    server.say(answer)
    with asker(server.address, key=KEY) as client, pytest.raises(UnexpectedAnswer, match=words):
        client.ask("writer", "C-1")
    assert len(server.seen) == 1


def test_a_list_that_is_none_is_told(server, asker):
    server.say([])
    with asker(server.address) as client, pytest.raises(UnexpectedAnswer, match="a list 'writers'"):
        client.all("writers")


def test_fields_of_a_newer_server_are_kept(server, asker):
    server.say(WRITER | {"colour": "blue"})
    with asker(server.address) as client:
        assert client.ask("writer", "C-1").raw["colour"] == "blue"
