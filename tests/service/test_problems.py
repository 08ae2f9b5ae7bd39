"""Every error of every package has its place in the table of problems."""

import inspect
import json

import pytest

from encoder import errors as encoder_errors
from index import errors as index_errors
from service import errors as service_errors
from service.errors import Refusal
from service.problems import INTERNAL, KINDS, kinds, problem_of


def errors_of(module) -> list[type[Exception]]:
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and found.__module__ == module.__name__
    ]


@pytest.mark.parametrize("module", [encoder_errors, index_errors, service_errors])
def test_every_error_class_is_mapped(module):
    assert errors_of(module)
    assert [error.__name__ for error in errors_of(module) if error not in KINDS] == []


def test_a_code_means_one_thing():
    codes = [kind.code for kind in kinds()]
    assert len(codes) > 20
    assert len(codes) == len(set(codes))


def test_every_status_is_an_error():
    assert all(400 <= kind.status <= 599 for kind in kinds())


def test_an_unforeseen_error_is_not_told():
    problem = problem_of(RuntimeError("the password is hunter2"))
    assert problem.status == 500
    assert problem.detail == INTERNAL.detail


def test_an_error_of_this_side_is_not_told():
    problem = problem_of(index_errors.SnapshotUnusable("/srv/data/snapshots/1 is torn"))
    assert problem.status == 500
    assert "/srv" not in problem.detail


def test_an_image_has_a_code_of_its_own():
    problem = problem_of(encoder_errors.FailureToAcquire("no-ink", "The page is blank."))
    assert (problem.status, problem.code, problem.detail) == (422, "no-ink", "The page is blank.")


def test_members_say_more():
    refusal = Refusal("a.png", "no-ink", "The page is blank.")
    refused = problem_of(service_errors.ImagesRefused("None could be used.", [refusal]))
    assert refused.members["refused"] == [
        {"filename": "a.png", "code": "no-ink", "reason": "The page is blank.", "boxes": ()}
    ]
    assert refused.detail == "None could be used. a.png: The page is blank."
    fields = problem_of(service_errors.InvalidInput("top: too large", {"top": ["too large"]}))
    assert fields.members["fields"] == {"top": ["too large"]}
    unknown = problem_of(encoder_errors.UnknownOperatingPoint("x", ["a", "b"]))
    assert unknown.members["available"] == ["a", "b"]


def test_the_body_is_as_rfc_9457_has_it():
    body = problem_of(index_errors.UnknownWriter("C-1")).as_dict("urn:uuid:1")
    assert body["type"] == "urn:countersign:problem:unknown-writer"
    assert body["status"] == 404
    assert body["instance"] == "urn:uuid:1"
    assert {"title", "detail", "code"} <= body.keys()
    json.dumps(body)
