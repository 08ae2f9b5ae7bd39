"""Every problem of the API, and every error of httpx, is one of the client's errors."""

import ast
import inspect
import json
from pathlib import Path

import httpx
import pytest

from encoder import errors as encoder_errors
from service import problems
from service.client import errors
from service.client.connection import error_of
from service.client.errors import (
    BY_CODE,
    IMAGE_TITLES,
    ClientError,
    ImageRefused,
    InvalidRequest,
    Misconfigured,
    MissingScope,
    NoAnswer,
    NotFound,
    Problem,
    ServerFailed,
    TimedOut,
    Unavailable,
    UnexpectedAnswer,
    UnknownOperatingPoint,
    UnknownWriter,
    problem_of,
)

# What parts of the API say that `service.problems` need not know yet.
CONTRACT = {
    "unauthorized": 401,
    "missing-scope": 403,
    "rate-limited": 429,
    "idempotency-in-progress": 409,
    "idempotency-mismatch": 422,
    "precondition-failed": 412,
}


def below(kind):
    return {one for sub in kind.__subclasses__() for one in (sub, *below(sub))}


def test_every_kind_of_problem_is_mapped():
    said = {kind.code: kind.status for kind in problems.kinds()} | CONTRACT
    assert {code for code in said if code not in BY_CODE} == set()
    for code, status in said.items():
        kind = BY_CODE[code]
        assert issubclass(kind, ServerFailed) == (status >= 500), code
        assert issubclass(kind, NotFound) == (status == 404), code
        assert issubclass(kind, Unavailable) == (status == 503), code


def test_titles_of_images_that_cannot_be_used_are_those_of_the_api():
    titles = {
        kind.title
        for error, kind in problems.KINDS.items()
        if issubclass(error, encoder_errors.ImageError)
    }
    assert titles == IMAGE_TITLES


def test_an_image_is_refused_whatever_its_code():
    error = encoder_errors.FailureToAcquire("no-ink", "No ink.", boxes=[{"x": 1}])
    body = problems.problem_of(error).as_dict("urn:uuid:1")
    found = problem_of(422, errors.MEDIA_TYPE, json_bytes(body))
    assert type(found) is ImageRefused
    assert (found.code, found.boxes, str(found)) == ("no-ink", ({"x": 1},), "No ink.")
    assert found.as_dict() == body


def json_bytes(value):
    return json.dumps(value).encode()


def test_the_tree_that_is_drawn_is_the_tree():
    drawn = []
    for line in errors.__doc__.splitlines()[2:]:
        name = line.lstrip("│├└─ ")
        if name:
            drawn.append(((len(line) - len(name)) // 4, name.split()[0]))
    assert drawn[0] == (0, "ClientError")
    above = []
    for depth, name in drawn:
        kind = getattr(errors, name)
        assert depth == 0 or kind.__base__.__name__ == above[depth - 1], name
        above = [*above[:depth], name]
    assert {name for _, name in drawn} == {
        one.__name__ for one in (ClientError, *below(ClientError))
    }


def test_every_error_of_the_tree_is_raised_for_something():
    used = {*errors.BY_CODE.values(), *errors.BY_STATUS.values()}
    leaves = {one for one in below(Problem) if not one.__subclasses__()}
    assert leaves <= used


@pytest.mark.parametrize("kind", sorted(below(httpx.HTTPError) | {httpx.InvalidURL}, key=str))
def test_every_error_of_httpx_is_one_of_ours(kind):
    arguments = inspect.signature(kind).parameters
    given = {"request": None, "response": None}
    error = kind("why", **{name: given[name] for name in arguments if name in given})
    ours = error_of(error, "http://h")
    assert type(ours) in {TimedOut, NoAnswer, Misconfigured, UnexpectedAnswer}
    assert isinstance(ours, TimedOut) == issubclass(kind, httpx.TimeoutException)
    if isinstance(ours, NoAnswer):
        unsent = {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError}
        assert ours.sent == (kind not in unsent)


def test_a_problem_says_all_that_it_says(server, asker, problem):
    server.say(problem(404, "unknown-writer", extra=1))
    with asker(server.address) as client, pytest.raises(UnknownWriter) as raised:
        client.ask("writer", "C-1")
    error = raised.value
    assert (error.status, error.code, error.detail) == (
        404,
        "unknown-writer",
        "detail of unknown-writer",
    )
    assert (error.instance, error.members, str(error)) == ("urn:uuid:1", {"extra": 1}, error.detail)


def test_members_have_names(server, asker, problem):
    server.say(
        problem(403, "missing-scope", scope="erase"),
        problem(422, "unknown-operating-point", available=["a", "b"]),
        problem(422, "invalid-input", fields={"name": ["no"]}),
        problem(422, "images-refused", refused=[{"code": "no-ink"}]),
    )
    with asker(server.address) as client:
        for kind, member, value in (
            (MissingScope, "scope", "erase"),
            (UnknownOperatingPoint, "available", ("a", "b")),
            (InvalidRequest, "fields", {"name": ["no"]}),
            (ImageRefused, "refused", ({"code": "no-ink"},)),
        ):
            with pytest.raises(kind) as raised:
                client.ask("writer", "C-1")
            assert getattr(raised.value, member) == value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, errors.Unauthorized),
        (418, InvalidRequest),
        (404, NotFound),
        (500, ServerFailed),
        (502, Unavailable),
        (599, ServerFailed),
        (507, errors.DiskFull),
    ],
)
@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b"{", b'{"code": 7}'])
def test_what_a_proxy_says_is_known_by_its_status(status, kind, body):
    for media_type in ("text/html", errors.MEDIA_TYPE):
        found = problem_of(status, media_type, body)
        assert (type(found), found.code, found.status) == (kind, f"http-{status}", status)


def test_a_code_of_a_newer_server_is_known_by_its_status():
    found = problem_of(409, errors.MEDIA_TYPE, json_bytes({"code": "something-new"}))
    assert (type(found), found.code) == (errors.Conflict, "something-new")


def test_the_client_imports_nothing_else_of_ours():
    for path in Path(errors.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                top = str(node.module).split(".")
                assert top[0] not in {"encoder", "index", "migrations"}, path
                assert top[:2] == ["service", "client"] or top[0] != "service", path
