"""What calibration by the gallery promises and what comes of it, over HTTP, on sets of signatures.

    python -m benchmarks.gallery_calibration ../shared/signatures/sigcomp2009_nfi --writers 25 50

Of each data set some writers are enrolled with five references; their other genuine signatures and
the forgeries of them are verified, the genuine ones are also identified, and so are the signatures
of writers who are not enrolled. Then `countersign calibrate --gallery` runs beside the server, and
the same is asked again. Each draw enrolls others, in a registry of its own. Prints a table.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.running import Refused, Server, running_server

REFERENCES_EACH = 5
QUERIES_EACH = 4  # Of each kind and writer, at most.
LEAST_STRANGERS = 10  # Writers left out where all are to be enrolled.
POINT = "fmr_skilled=5%"
RATES = ("fpir", "fnir", "refused_genuine", "fnmr", "fmr_skilled")
HEADS = ("strangers named", "enrolled not named", "genuine called no match",
         "genuine that do not match", "forgeries that match")  # fmt: skip


@dataclass
class Counts:
    """How often something could have happened, and did."""

    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    came: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, what: str, happened: bool) -> None:
        """Count one query."""
        self.asked[what] += 1
        self.came[what] += happened

    def join(self, other: "Counts") -> None:
        """Count another draw's in."""
        for what, number in other.asked.items():
            self.asked[what] += number
            self.came[what] += other.came[what]

    def share(self, what: str) -> float:
        """Which share of the queries it happened with."""
        return self.came[what] / self.asked[what] if self.asked[what] else float("nan")


@dataclass(frozen=True)
class Drawn:
    """Whom one draw enrolls, and who stays a stranger; folders of writers."""

    enrolled: Sequence[Path]
    strangers: Sequence[Path]


def main() -> None:
    """Ask before and after, for each data set and number of writers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--writers", nargs="+", default=["25", "50", "all"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--output", type=Path, help="Write the counts here, as JSON.")
    options = parser.parse_args()
    print("| data set, enrolled | | " + " | ".join(HEADS) + " |")
    print("|" + "---|" * (len(HEADS) + 2))
    results = []
    for folder in options.folders:
        for size in options.writers:
            drawn = list(_draws(folder, size, options.draws))
            if not drawn:
                continue
            result = _measured(drawn)
            results.append({"data_set": folder.name, "writers": len(drawn[0].enrolled), **result})
            for line in _lines(results[-1]):
                print(line, flush=True)
    if options.output:
        options.output.write_text(json.dumps(results, indent=1))


def _draws(folder: Path, size: str, draws: int) -> Iterator[Drawn]:
    """Whom to enroll; nobody, where too few would stay strangers."""
    able = [p for p in sorted(folder.iterdir()) if len(_images(p, "genuine")) > REFERENCES_EACH]
    count = len(able) - LEAST_STRANGERS if size == "all" else int(size)
    if count > len(able) - LEAST_STRANGERS:
        return
    for seed in range(draws):
        mixed = random.Random(seed).sample(able, len(able))
        yield Drawn(mixed[:count], mixed[count:])


def _images(writer: Path, kind: str) -> list[Path]:
    """In an order that is random, but always the same."""
    paths = sorted(writer.glob(f"{kind}_*"))
    return random.Random(writer.name).sample(paths, len(paths))


def _measured(drawn: Sequence[Drawn]) -> dict[str, Any]:
    before, after = Counts(), Counts()
    promised: dict[str, list[float]] = defaultdict(list)
    for one in drawn:
        with tempfile.TemporaryDirectory() as folder:
            variables = {"COUNTERSIGN_DATA_DIR": folder, "COUNTERSIGN_CALIBRATE": "off"}
            with running_server(variables=variables) as server:
                _enroll(server, one.enrolled)
                before.join(_asked(server, one))
                _calibrate(variables)
                after.join(_asked(server, one))
                for rate, value in _promise(server).items():
                    promised[rate].append(value)
    return {
        "before": {rate: before.share(rate) for rate in RATES},
        "promised": {rate: sum(values) / len(values) for rate, values in promised.items()},
        "after": {rate: after.share(rate) for rate in RATES},
        "asked": dict(after.asked),
    }


def _enroll(server: Server, writers: Sequence[Path]) -> None:
    for writer in writers:
        images = [
            ("images", path.name, path.read_bytes())
            for path in _images(writer, "genuine")[:REFERENCES_EACH]
        ]
        server.post("/v1/writers", images, [("writer_id", f"W-{writer.name}")])


def _asked(server: Server, drawn: Drawn) -> Counts:
    counts = Counts()
    for writer in drawn.enrolled:
        name = f"W-{writer.name}"
        for path in _images(writer, "genuine")[REFERENCES_EACH:][:QUERIES_EACH]:
            _ask_genuine(server, name, path, counts)
        for path in _images(writer, "forged")[:QUERIES_EACH]:
            if said := _answer(server, f"/v1/writers/{name}/verify", path):
                counts.add("fmr_skilled", said["verdict"] == "match")
    for writer in drawn.strangers:
        for path in _images(writer, "genuine")[:QUERIES_EACH]:
            if said := _answer(server, "/v1/identify", path):
                counts.add("fpir", said["verdict"] == "identified")
    return counts


def _ask_genuine(server: Server, name: str, image: Path, counts: Counts) -> None:
    if said := _answer(server, f"/v1/writers/{name}/verify", image):
        counts.add("refused_genuine", said["verdict"] == "non_match")
        counts.add("fnmr", said["verdict"] != "match")
    if said := _answer(server, "/v1/identify", image):
        named = said["verdict"] == "identified"
        counts.add("fnir", not (named and said["candidates"][0]["writer_id"] == name))


def _answer(server: Server, path: str, image: Path) -> Any:
    """What the server says; None where it finds no signature in the image."""
    try:
        return server.post(path, [("image", image.name, image.read_bytes())])
    except Refused:
        return None


def _calibrate(variables: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "service.cli", "calibrate", "--gallery", "--json"]
    subprocess.run(command, env={**os.environ, **variables}, check=True, capture_output=True)


def _promise(server: Server) -> dict[str, float]:
    """The rates that the calibration in use states."""
    answer = server.http.request("GET", server.url + "/v1/model")
    stated = json.loads(answer.data)["calibration"]["after"]
    claims = [one for one in stated["claiming"] if one["operating_point"] == POINT]
    usual = max(claims, key=lambda one: one["references"])
    return {
        "fpir": stated["naming"]["fpir"]["value"],
        "fnir": stated["naming"]["fnir"]["value"],
        "refused_genuine": usual["refused_genuine"]["value"],
        "fnmr": usual["fnmr"]["value"],
    }


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    label = f"**{result['data_set']}**, {result['writers']}"
    for name, rates in (
        ("before", result["before"]),
        ("promised", result["promised"]),
        ("after", result["after"]),
    ):
        cells = [f"{100 * rates[rate]:.1f}" if rate in rates else "" for rate in RATES]
        yield f"| {label if name == 'before' else ''} | {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
