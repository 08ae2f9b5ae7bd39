"""What a bank does with Countersign, from the first start to an erasure, with all that it keeps.

A program of its own, run by `test_walkthrough.py` with the Python of an environment that has the
wheel alone, in a network namespace, from an empty folder:

    python -P walkthrough.py ADDRESS

Each chapter begins where the one before ended. What does not hold ends it with an AssertionError.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import service
from service.client import Client
from service.client.errors import ClientError, MissingScope, UnknownWriter

PROGRAM = Path(sys.executable).with_name("countersign")
READY_S = 90.0
PASSWORD = "a long and quiet walk in the rain, {}"
ROLES = {"clara": "clerk", "rene": "reviewer", "audrey": "auditor", "adam": "admin"}
KEYS = {
    "teller": "verify,identify,enroll,read",
    "prometheus": "metrics",
    "revision": "verify,read,audit",
}
OK, NOT_SIGNED_IN, NOT_ALLOWED = 200, 401, 403
NO_MATCH, WARNED, WRONG = 1, 1, 2


class Bank:
    """An installation: its folders, its settings and, while it runs, its server."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.safe = folder / "safe"
        self.probes = folder / "probes"
        self.anchors = self.safe / "anchors.jsonl"
        self.public_key = self.safe / "audit.pem.pub"
        self.url = f"http://{address}:8000"
        self.keys: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.settings = {
            "COUNTERSIGN_HOST": address,
            "COUNTERSIGN_DATA_DIR": str(self.data),
            "COUNTERSIGN_AUDIT_KEY": str(self.safe / "audit.pem"),
            "COUNTERSIGN_REVIEW_SAMPLE": "100%",
            "COUNTERSIGN_LOG_FORMAT": "json",
        }

    def run(self, *arguments: str | Path, code: int = 0, apart: bool = False) -> str:
        """Run a command as the operator, or `apart` as somebody who has neither data nor settings.

        Returns what it printed on stdout.
        """
        environment = os.environ | ({} if apart else self.settings)
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=self.folder / "apart" if apart else self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def told(self, *arguments: str | Path, code: int = 0, apart: bool = False) -> Any:
        """Run a command with --json, and return what it told."""
        return json.loads(self.run(*arguments, "--json", code=code, apart=apart))

    def start(self) -> None:
        """Serve, and wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--upgrade"],
                cwd=self.folder,
                env=os.environ | self.settings,
                stdout=log,
                stderr=log,
            )
        give_up_at = time.monotonic() + READY_S
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, "the server ended by itself"
            try:
                if httpx.get(f"{self.url}/readyz").status_code == OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError

    def stop(self) -> None:
        """Stop serving, as a service manager does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0
            self.process = None

    def wipe(self) -> None:
        """Lose the data folder."""
        self.stop()
        shutil.rmtree(self.data)

    def probe(self, name: str) -> dict[str, Any]:
        """Return a signature to try, as a form's file."""
        return {"image": (f"{name}.png", (self.probes / f"{name}.png").read_bytes(), "image/png")}

    @contextmanager
    def program(self, key: str) -> Iterator[httpx.Client]:
        """Open connections as a program that has one of the keys."""
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as http:
            yield http

    @contextmanager
    def person(self, name: str) -> Iterator[httpx.Client]:
        """Open connections as somebody who has signed in on the page."""
        with httpx.Client(base_url=self.url, timeout=60) as http:
            shown = {"username": name, "password": PASSWORD.format(name)}
            answer = http.post("/v1/session", json=shown)
            assert answer.status_code == OK, answer.text
            assert answer.json()["username"] == name
            token = answer.json()["csrf_token"]
            # The cookie alone, as another site's page would have it sent, changes nothing.
            assert http.delete("/v1/session").status_code == NOT_ALLOWED
            http.headers["X-CSRF-Token"] = token
            yield http
            assert http.delete("/v1/session").status_code == 204
            assert http.get("/v1/writers").status_code == NOT_SIGNED_IN


def refused(error: type[ClientError], call: Callable[..., object], *arguments: object) -> None:
    """A call of the typed client is refused in the way that it should be."""
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{call} was not refused")


def installed_elsewhere() -> None:
    """What runs is the wheel's, and no checkout's."""
    assert Path(service.__file__).is_relative_to(sys.prefix)


def first_start(bank: Bank) -> None:
    """A key for anchors outside the data, an empty registry, and a server that lets nobody in."""
    for folder in (bank.safe, bank.folder / "apart"):
        folder.mkdir()
    bank.run("audit", "key", "create", bank.safe / "audit.pem")
    bank.start()
    log = (bank.folder / "log").read_text()
    assert "countersign users add" in log
    for path in ("/v1/writers", "/v1/decisions", "/metrics"):
        answer = httpx.get(bank.url + path)
        assert answer.status_code == NOT_SIGNED_IN, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert httpx.get(f"{bank.url}/").status_code == OK
    bank.run("demo", "--probes", bank.probes)


def people_and_keys(bank: Bank) -> None:
    """Links that set a password once, and keys that are shown once."""
    with ThreadPoolExecutor(2) as operators:
        list(operators.map(lambda name: add_person(bank, name), ROLES))
    # The first key is made beside the registry; whoever administers by it makes the others.
    made = bank.told("keys", "create", "manager", "--scopes", "admin", "--expires", "90d")
    keep_key(bank, "manager", made["key"])
    with Client(bank.url, key_file=bank.safe / "manager.key") as manager:
        for name, scopes in KEYS.items():
            made = manager.create_key(name, scopes.split(","), expires_in="90d")
            keep_key(bank, name, made.key)
        mistake = manager.create_key("mistake", ["read"])
    there = ("--server", bank.url, "--key", bank.safe / "manager.key")
    bank.run("keys", "revoke", mistake.prefix, *there)
    revoked = {"Authorization": f"Bearer {mistake.key}"}
    assert httpx.get(f"{bank.url}/v1/writers", headers=revoked).status_code == NOT_SIGNED_IN


def add_person(bank: Bank, name: str) -> None:
    """Somebody is added, and sets a password by the link: once."""
    link = bank.told("users", "add", name, "--role", ROLES[name])["link"]
    address, _, token = link.partition("#")
    assert address == f"{bank.url}/set-password"
    assert httpx.get(address).status_code == OK
    asked = {"link": token, "password": PASSWORD.format(name)}
    assert httpx.post(f"{bank.url}/v1/password", json=asked).status_code == 204
    again = httpx.post(f"{bank.url}/v1/password", json=asked)
    assert "link" in again.json()["fields"], again.text


def keep_key(bank: Bank, name: str, key: str | None) -> None:
    """A key is kept in a file for whoever is to use it."""
    assert key is not None
    assert key.startswith("cs_")
    bank.keys[name] = key
    (bank.safe / f"{name}.key").write_text(key + "\n", encoding="utf-8")


def enrollment(bank: Bank) -> None:
    """The clerk on the page, a program by the typed client, the command line from elsewhere."""
    names = [f"new-writer-{n}" for n in (1, 2, 3)]
    files = [("images", bank.probe(name)["image"]) for name in names]
    with bank.person("clara") as clerk:
        made = clerk.post(
            "/v1/writers", data={"writer_id": "C-1001", "name": "Ada Example"}, files=files
        )
        assert made.status_code == 201, made.text
        assert len(made.json()["references"]) == len(names)
    with Client(bank.url, key_file=bank.safe / "teller.key") as client:
        enrolled = client.enroll(
            "C-1002", [bank.probes / f"other-writer-{n}.png" for n in (1, 2)], name="Ben Example"
        )
        assert enrolled.reference_count == 2
        assert client.writer("C-1001").name == "Ada Example"
        refused(MissingScope, client.erase_writer, "C-1002")
    there = ("--server", bank.url, "--key", bank.safe / "teller.key")
    bank.run("enroll", "C-1002", bank.probes / "other-writer-3.png", *there)
    shown = bank.told("writers", "show", "C-1002", *there)
    assert shown["reference_count"] == 3


def verification(bank: Bank) -> dict[str, Any]:
    """Genuine, forged and repeated ones, and who it might be; returns what was answered."""
    asked = {"Idempotency-Key": "b3d1c7ce-0001"}
    with bank.program("teller") as teller:
        paths = [f"/v1/writers/{one}/verify" for one in ("C-1001", "DEMO-01")]
        first = teller.post(paths[0], files=bank.probe("new-writer-5"), headers=asked)
        assert first.status_code == OK, first.text
        again = teller.post(paths[0], files=bank.probe("new-writer-5"), headers=asked)
        assert again.json() == first.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        other = teller.post(paths[0], files=bank.probe("new-writer-4"), headers=asked)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
        forged = teller.post(paths[1], files=bank.probe("DEMO-01-forged")).json()
        found = teller.post("/v1/identify", files=bank.probe("DEMO-02-genuine")).json()
        # It may not review, nor read exact scores, nor see the numbers.
        assert teller.post("/v1/decisions/x/reviews", json={}).status_code == NOT_ALLOWED
        assert teller.get("/metrics").status_code == NOT_ALLOWED
    genuine = first.json()
    assert genuine["verdict"] == "match"
    assert genuine["score"] == round(genuine["score"], 2)
    assert genuine["writer_id"] == "C-1001"
    assert {"decision_id", "decided_at", "probe_sha256", "request_id"} <= genuine.keys()
    assert forged["verdict"] != "match"
    assert found["candidates"][0]["writer_id"] == "DEMO-02"
    there = ("--server", bank.url, "--key", bank.safe / "revision.key")
    probe = bank.probes / "new-writer-5.png"
    exact = bank.told("verify", "C-1001", probe, *there)
    assert round(exact["score"], 2) == genuine["score"]
    bank.run("verify", "C-1002", probe, *there, code=NO_MATCH)
    bank.run("verify", "nobody", probe, *there, code=WRONG)
    return {"genuine": genuine, "forged": forged, "found": found, "exact": exact}


def reading_and_review(bank: Bank, answers: dict[str, Any]) -> None:
    """The decision with all that it rests on, and a person's word of it."""
    genuine, forged = answers["genuine"]["decision_id"], answers["forged"]["decision_id"]
    with bank.person("clara") as clerk:
        read = clerk.get(f"/v1/decisions/{genuine}").json()
        assert (read["verdict"], read["writer_id"]) == ("match", "C-1001")
        assert read["caller"].startswith("key:")
        image = clerk.get(f"/v1/decisions/{genuine}/image").content
        assert image == bank.probe("new-writer-5")["image"][1]
        said = {"outcome": "accept", "reason": "same-hand"}
        answer = clerk.post(f"/v1/decisions/{genuine}/reviews", json=said)
        assert (answer.status_code, answer.json()["scope"]) == (NOT_ALLOWED, "review")
        assert clerk.get("/v1/reviews/queue").status_code == NOT_ALLOWED
    with bank.person("rene") as reviewer:
        queue = reviewer.get("/v1/reviews/queue", params={"limit": 50}).json()
        waiting = {one["decision_id"] for one in queue["decisions"]}
        assert {genuine, forged} <= waiting
        done = reviewer.post(f"/v1/decisions/{genuine}/reviews", json=said)
        assert done.status_code == 201, done.text
        assert done.json()["done"]
        twice = reviewer.post(f"/v1/decisions/{genuine}/reviews", json=said)
        assert twice.status_code == 409
        left = {one["decision_id"] for one in reviewer.get("/v1/reviews/queue").json()["decisions"]}
        assert genuine not in left
        assert reviewer.post(f"/v1/decisions/{genuine}/replay").status_code == NOT_ALLOWED
    agreed = bank.told("report", "agreement", "--from", "2026-01-01")
    assert agreed, agreed


def auditor(bank: Bank, answers: dict[str, Any]) -> None:
    """All replayed and equal, and the evidence of one opened."""
    decision_id = answers["genuine"]["decision_id"]
    with bank.person("audrey") as http:
        for name in ("genuine", "forged", "found"):
            replayed = http.post(f"/v1/decisions/{answers[name]['decision_id']}/replay").json()
            assert replayed["outcome"] == "equal", (name, replayed)
        reviewed = http.get("/v1/decisions", params={"reviewed": "true"}).json()["decisions"]
        assert [one["decision_id"] for one in reviewed] == [decision_id]
        body = http.get(f"/v1/decisions/{decision_id}/evidence")
        assert body.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        record = json.loads(archive.read("decision.json"))
        assert record["decision_id"] == decision_id
        assert record["reviews"][0]["reviewer"] == "user:rene"
        assert decision_id in archive.read("report.html").decode()
        assert archive.read("report.pdf").startswith(b"%PDF-")
        assert archive.read("images/query.png") == bank.probe("new-writer-5")["image"][1]
        assert len([name for name in names if name.startswith("images/reference-")]) == 3
        archive.extractall(bank.folder / "apart" / "evidence")
    proof = bank.folder / "apart" / "evidence" / "proof"
    said = bank.told(
        *("audit", "verify", "--export", proof / "chain.jsonl", "--anchor", proof / "anchor.jsonl"),
        *("--public-key", bank.public_key),
        apart=True,
    )
    assert said["intact"]


def numbers(bank: Bank) -> None:
    """What Prometheus sees of it, with a key of its own."""
    with bank.program("prometheus") as http:
        text = http.get("/metrics").text
        assert http.get("/v1/writers").status_code == NOT_ALLOWED
    assert 'countersign_decisions_total{question="verify",verdict="match"}' in text
    assert "countersign_build_info{" in text
    assert "C-1001" not in text


def anchored(bank: Bank) -> None:
    """An anchor in the safe, by which the chain is verified."""
    bank.run("audit", "anchor", "--to", bank.anchors)
    verified(bank)


def verified(bank: Bank) -> None:
    """The chain is as it was written, up to the anchors in the safe and beyond."""
    against = ("--anchor", bank.anchors, "--public-key", bank.public_key)
    said = bank.told("audit", "verify", *against)
    assert said["intact"], said
    assert said["anchors"] >= 1


def looked_over(bank: Bank) -> dict[str, Any]:
    """Nothing fails, and what is warned of is what an operator of such a bank knows."""
    done = subprocess.run(
        [PROGRAM, "doctor", "--json"],
        cwd=bank.folder,
        env=os.environ | bank.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    wrong = {one["check"]: one for one in findings if one["state"] != "ok"}
    # A machine of tests may keep no time, and have little room.
    assert wrong.keys() <= {"last backup", "clock", "disk"}, wrong
    assert done.returncode == (WARNED if wrong else 0)
    return wrong


def backup(bank: Bank) -> Path:
    """All of it in one file, while tellers go on; returns the file."""
    file = bank.safe / "today.zip"
    stop, codes = threading.Event(), []

    def verify_on() -> None:
        with bank.program("teller") as teller:
            while not stop.is_set():
                path = "/v1/writers/DEMO-03/verify"
                codes.append(teller.post(path, files=bank.probe("DEMO-03-genuine")).status_code)
                time.sleep(0.1)

    teller = threading.Thread(target=verify_on)
    teller.start()
    try:
        bank.run("backup", file)
    finally:
        stop.set()
        teller.join()
    assert codes
    assert set(codes) == {OK}
    assert file.stat().st_mode & 0o077 == 0
    return file


def restored(bank: Bank, file: Path, answers: dict[str, Any]) -> None:
    """The data folder is lost; from the backup come the same scores, decisions, keys and people."""
    bank.wipe()
    bank.run("restore", file, "--without-erasures")
    bank.start()
    genuine = answers["genuine"]["decision_id"]
    with bank.program("revision") as revision:
        path = "/v1/writers/C-1001/verify"
        again = revision.post(path, files=bank.probe("new-writer-5")).json()
        assert again["score"] == answers["exact"]["score"]
        assert again["verdict"] == "match"
    with bank.person("audrey") as http:
        read = http.get(f"/v1/decisions/{genuine}").json()
        assert (read["state"], read["verdict"]) == ("whole", "match")
        assert read["reviews"][0]["outcome"] == "accept"
        assert http.post(f"/v1/decisions/{genuine}/replay").json()["outcome"] == "equal"
    verified(bank)


def erasure(bank: Bank, answers: dict[str, Any]) -> None:
    """A person is erased, with proof; what was decided of them says so, and the chain holds."""
    proof = bank.safe / "erased-C-1001.json"
    bank.run("erase", "C-1001", "--proof", proof, "--yes")
    told = json.loads(proof.read_text(encoding="utf-8"))
    assert told["reference_count"] == 3
    assert "Ada" not in proof.read_text(encoding="utf-8")
    bank.run("erasures", "export", bank.safe / "erasures.json")
    gone(bank)
    with bank.person("audrey") as http:
        path = f"/v1/decisions/{answers['genuine']['decision_id']}"
        read = http.get(path).json()
        assert (read["state"], read["writer_id"], read["verdict"]) == ("erased", None, "match")
        assert http.get(f"{path}/image").status_code in {404, 410}
        replayed = http.post(f"{path}/replay").json()
        assert replayed["outcome"] == "impossible"
        assert "erased" in replayed["reasons"][0]
        assert http.get(f"{path}/evidence").status_code == OK
    verified(bank)


def gone(bank: Bank) -> None:
    """Nobody finds C-1001 any more, by any way."""
    with Client(bank.url, key_file=bank.safe / "teller.key") as client:
        refused(UnknownWriter, client.verify, "C-1001", bank.probes / "new-writer-5.png")
        found = client.identify(bank.probes / "new-writer-5.png")
        assert "C-1001" not in {one.writer_id for one in found.candidates}
        assert "C-1001" not in {one.writer_id for one in client.writers()}
    bank.run("index", "check", "--erased", "C-1001")


def restored_without_the_erased(bank: Bank, file: Path) -> None:
    """The backup from before the erasure, with the list of erasures: the person stays erased."""
    bank.wipe()
    said = bank.told("restore", file, "--erasures", bank.safe / "erasures.json")
    assert said["erased_again"]["writers"] == 1
    bank.start()
    gone(bank)
    verified(bank)


def proved_apart(bank: Bank) -> None:
    """An export is verified by somebody who has the public key, and nothing else."""
    export = bank.folder / "apart" / "audit.jsonl"
    bank.run("audit", "export", "--output", export)
    assert "C-1002" not in export.read_text(encoding="utf-8")
    against = ("--anchor", bank.anchors, "--public-key", bank.public_key)
    assert bank.told("audit", "verify", "--export", export, *against, apart=True)["intact"]
    lines = export.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = export.with_name("cut.jsonl")
    cut.write_text("".join(lines[:3]), encoding="utf-8")
    said = bank.told("audit", "verify", "--export", cut, *against, code=NO_MATCH, apart=True)
    assert not said["intact"]
    assert not list((bank.folder / "apart").glob("**/registry.db"))


def walk(bank: Bank) -> None:
    """All chapters, in their order."""
    began = time.monotonic()

    def done(chapter: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {chapter}\n")

    installed_elsewhere()
    for chapter in (first_start, people_and_keys, enrollment):
        chapter(bank)
        done(chapter.__name__)
    answers = verification(bank)
    done("verification")
    reading_and_review(bank, answers)
    done("reading and review")
    auditor(bank, answers)
    done("replay and evidence")
    numbers(bank)
    anchored(bank)
    assert "last backup" in looked_over(bank)
    done("numbers, an anchor, and a look over it")
    file = backup(bank)
    done("backup")
    restored(bank, file, answers)
    done("restore")
    erasure(bank, answers)
    done("erasure")
    restored_without_the_erased(bank, file)
    done("restore with the list of erasures")
    proved_apart(bank)
    done("proved apart")
    assert "none since" in looked_over(bank)["last backup"]["said"]
    done("looked over")


def main() -> None:
    """Walk in the current folder, on the address that is given."""
    bank = Bank(Path.cwd(), sys.argv[1])
    try:
        walk(bank)
    finally:
        bank.stop()


if __name__ == "__main__":
    main()
