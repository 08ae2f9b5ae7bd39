"""Scores are exact for callers with the scope `audit`, and have two decimals for others."""

import pytest

from service.api.answers.decisions import SCORES, rounded


def numbers(answer, name=""):
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from numbers(value, key)
    elif isinstance(answer, list):
        for one in answer:
            yield from numbers(one, name)
    elif isinstance(answer, float):
        yield name, answer


@pytest.mark.parametrize("question", ["verify", "identify", "compare"])
def test_scores_are_rounded_for_those_who_do_not_audit(client, key, files, question):
    if client.get("/v1/writers/C-r", headers=key("read")).status_code == 404:
        form = {"writer_id": "C-r", "images": files(1, 0, 1, 2)}
        assert client.post("/v1/writers", data=form, headers=key("enroll")).status_code == 201

    def ask(*scopes):
        probe = files(1, 9)[0]
        path, data = {
            "verify": ("/v1/writers/C-r/verify", {"image": probe}),
            "identify": ("/v1/identify", {"image": probe}),
            "compare": ("/v1/compare", {"reference": files(1, 0, 1), "probe": probe}),
        }[question]
        answer = client.post(path, data=data, headers=key("verify", "identify", *scopes))
        assert answer.status_code == 200
        return list(numbers(answer.get_json()))

    coarse, exact = ask(), ask("audit")
    scores = [(name, value) for name, value in coarse if name in SCORES]
    assert {"verify": 12, "identify": 2, "compare": 11}[question] <= len(scores)
    assert all(value == round(value, 2) for _, value in scores)
    assert any(value != round(value, 2) for name, value in exact if name in SCORES)
    # All else is as it is, and every score is what it was, rounded.
    for (name, seen), (same, kept) in zip(coarse, exact, strict=True):
        assert name == same
        assert seen == (pytest.approx(kept, abs=0.00501) if name in SCORES else kept), name


def test_zero_has_no_sign():
    assert (
        str(rounded({"score": -0.001, "threshold": -0.001}))
        == "{'score': 0.0, 'threshold': -0.001}"
    )


def test_a_decision_that_is_read_back_tells_no_more_than_its_answer(client, key, files):
    if client.get("/v1/writers/C-b", headers=key("read")).status_code == 404:
        form = {"writer_id": "C-b", "images": files(1, 0, 1, 2)}
        client.post("/v1/writers", data=form, headers=key("enroll"))
    headers = key("verify", "identify", "read")
    for path in ("/v1/writers/C-b/verify", "/v1/identify"):
        asked = client.post(path, data={"image": files(1, 9)[0]}, headers=headers)
        address = f"/v1/decisions/{asked.get_json()['decision_id']}"
        coarse = client.get(address, headers=headers).get_json()
        exact = client.get(address, headers=key("read", "audit")).get_json()
        assert exact["rule"] == coarse["rule"]
        # What depends on the query signature: thresholds and bounds do not.
        told = ("score", "log_lr", "log_lr_random", "contributions", "references", "candidates")
        seen = list(numbers({name: coarse["details"].get(name) for name in told}))
        kept = list(numbers({name: exact["details"].get(name) for name in told}))
        assert len(seen) == len(kept) > 0
        assert all(value == round(value, 2) for _, value in seen), path
        assert any(value != round(value, 2) for _, value in kept), path
        listed = client.get("/v1/decisions?limit=1", headers=headers).get_json()["decisions"]
        assert all(value == round(value, 2) for _, value in numbers(listed))
