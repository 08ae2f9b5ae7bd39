"""`countersign audit` and `countersign report`, as an auditor uses them."""

import json
import sqlite3

import pytest


@pytest.fixture
def decided(ada, run, scan):
    for n in (8, 9):
        assert run("verify", ada, scan(4, n)).exit_code in {0, 1}
    return ada


@pytest.fixture
def key(tmp_path, run, monkeypatch):
    file = tmp_path / "audit.pem"
    assert run("audit", "key", "create", file).exit_code == 0
    monkeypatch.setenv("COUNTERSIGN_AUDIT_KEY", str(file))
    return file


def sql(data_dir, statement):
    connection = sqlite3.connect(data_dir / "registry.db")
    with connection:
        assert connection.execute(statement).rowcount
    connection.close()


def test_the_settings_may_name_the_key_before_it_is_made(ada, run, tmp_path, monkeypatch) -> None:
    file = tmp_path / "audit.pem"
    monkeypatch.setenv("COUNTERSIGN_AUDIT_KEY", str(file))
    monkeypatch.setenv("COUNTERSIGN_AUDIT_ANCHOR", str(tmp_path / "anchors.jsonl"))
    assert run("audit", "verify").exit_code == 2
    assert run("audit", "key", "create", file).exit_code == 0
    assert run("audit", "verify").exit_code == 0


def test_an_untouched_trail_is_verified_and_a_changed_one_is_told(decided, answer, run, data_dir):
    code, report = answer("audit", "verify")
    assert (code, report["intact"], report["decisions"], report["images"]) == (0, True, 2, 2)
    sql(data_dir, "UPDATE decisions SET verdict = 'x' WHERE sequence = 1")
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "its content is not what its hash says" in result.stdout
    assert "Something was tampered with." in result.stdout


def test_an_anchor_and_an_export_prove_it_elsewhere(
    decided, key, answer, run, tmp_path, data_dir, scan
):
    anchors, exported = tmp_path / "anchors.jsonl", tmp_path / "audit.jsonl"
    assert answer("audit", "anchor", "--to", anchors)[0] == 0
    assert run("audit", "export", "--output", exported).exit_code == 0
    proof = ("--anchor", anchors, "--public-key", f"{key}.pub")
    assert answer("audit", "verify", *proof)[1]["anchors"] == 1
    code, report = answer("audit", "verify", "--export", exported, *proof)
    assert (code, report["intact"], report["anchors"]) == (0, True, 1)
    # The end of the chain cut off, with the decision that it spoke of.
    sql(data_dir, "DELETE FROM decision_details WHERE sequence = 2")
    sql(data_dir, "DELETE FROM decision_images WHERE sequence = 2")
    sql(data_dir, "DELETE FROM decisions WHERE sequence = 2")
    sql(
        data_dir,
        "DELETE FROM audit_names WHERE sequence = (SELECT max(sequence) FROM audit_entries)",
    )
    entries = "(SELECT min(sequence) FROM audit_entries WHERE content_sha256 NOT IN "
    known = "(SELECT sha256 FROM decisions) AND kind LIKE 'decision.%')"
    sql(data_dir, f"DELETE FROM audit_entries WHERE sequence >= {entries}{known}")
    assert answer("audit", "verify")[0] == 0
    code, report = answer("audit", "verify", *proof)
    assert code == 1
    assert "cut off" in report["findings"][0]["what"]
    assert answer("audit", "verify", "--export", exported, *proof)[0] == 0


def test_an_export_of_some_days(decided, run):
    nothing = run("audit", "export", "--to", "2001-01-01").stdout.splitlines()
    assert [json.loads(one)["format"] for one in nothing] == ["countersign-audit-export/1"]
    every = run("audit", "export", "--from", "2001-01-01T00:00:00+02:00").stdout.splitlines()
    kinds = [json.loads(one).get("kind") for one in every]
    assert kinds[1:3] == ["chain.started", "model.switched"]
    assert kinds.count("decision.verify") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("anchor", "--to", "x"), "COUNTERSIGN_AUDIT_KEY"),
        (("export", "--from", "yesterday"), "expected a day"),
        (("export", "--from", "2026-01-01T10:00"), "with its zone"),
    ],
)
def test_what_is_missing_is_said(registry, run, arguments, says):
    result = run("audit", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_key_is_never_overwritten_and_an_anchor_needs_a_place(key, registry, run):
    result = run("audit", "key", "create", key)
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    result = run("audit", "anchor")
    assert result.exit_code == 2
    assert "COUNTERSIGN_AUDIT_ANCHOR" in result.stderr
    result = run("audit", "verify", "--public-key", f"{key}.pub")
    assert result.exit_code == 2
    assert "--anchor" in result.stderr


def test_agreement_is_reported(decided, answer, run):
    code, report = answer("report", "agreement", "--from", "2001-01-01")
    assert code == 0
    assert report["counts"] == []
    assert report["agreement"] == {"match": None, "non_match": None, "identified": None}
    assert "nobody decided" in run("report", "agreement").stdout
