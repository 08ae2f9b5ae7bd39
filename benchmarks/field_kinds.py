"""Verifies genuine signatures in every form that people send: what becomes of them, by kind.

Invented writers are enrolled from clean scans. A genuine query of each is then set into a picture
of each kind and verified. A genuine signature may match, be refused with a reason, or be left to
people; a `non_match` without a warning is a false accusation. `python -m benchmarks.field_kinds`.
"""

import argparse
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks import document_drawing, document_kinds, documents
from encoder.errors import ImageError
from encoder.inference.encoder import Encoder, load_encoder
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png
from service.decisions.cautious_verdict import cautious_verdict

Gray = NDArray[np.uint8]  # (h, w)
# What a kind makes of a clean scan of one signature: the bytes of an image file.
Kind = Callable[[Gray, np.random.Generator], bytes]

REFERENCES_EACH = 5
OUTCOMES = ("match", "warned", "refused", "inconclusive", "silent")


def _as_file(kind: document_kinds.Kind) -> Kind:
    return lambda scan, rng: documents.encode(kind(scan, rng)[0])


# By name. Another kind is another line here.
KINDS: dict[str, Kind] = {name: _as_file(kind) for name, kind in document_kinds.KINDS.items()}


def outcome(data: bytes, references: Signatures, encoder: Encoder) -> str:
    """What verifying an image file comes to: one of OUTCOMES."""
    try:
        acquired = encoder.acquire(data)
    except ImageError:
        return "refused"
    comparison = encoder.rule.compare(encoder.describe(acquired.canvas[None]), references)
    warnings = acquired.quality.warnings
    verdict = cautious_verdict(comparison.verdict, warnings)
    if verdict == "match":
        return "match"
    if warnings:
        return "warned"
    return "silent" if verdict == "non_match" else "inconclusive"


def table(writers: int, members: int, chosen: str) -> dict[str, Counter[str]]:
    """How often each outcome came, by kind, for those whose name contains `chosen`."""
    encoder = load_encoder()
    counts: dict[str, Counter[str]] = {name: Counter() for name in KINDS if chosen in name}
    for seed in range(1, writers + 1):
        scans = [document_drawing.scan_of(seed, number) for number in range(REFERENCES_EACH)]
        canvases = [encoder.acquire(encode_png(scan)).canvas for scan in scans]
        references = encoder.describe(np.stack(canvases))
        for name, count in counts.items():
            for member in range(members):
                rng = np.random.default_rng([seed, member, *name.encode()])
                query = document_drawing.scan_of(seed, REFERENCES_EACH + member)
                count[outcome(KINDS[name](query, rng), references, encoder)] += 1
    return counts


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--writers", type=int, default=25, help="how many to enroll (25)")
    parser.add_argument("--members", type=int, default=1, help="queries of each, by kind (1)")
    parser.add_argument("--kind", default="", help="only kinds whose name contains this")
    options = parser.parse_args()
    counts = table(options.writers, options.members, options.kind)
    print(f"| kind | {' | '.join(OUTCOMES)} |\n|---|{'---:|' * len(OUTCOMES)}")
    for name, count in counts.items():
        print(f"| {name} | {' | '.join(str(count[one]) for one in OUTCOMES)} |")
    total = sum(counts.values(), Counter())
    print(f"| all | {' | '.join(str(total[one]) for one in OUTCOMES)} |")


if __name__ == "__main__":
    main()
