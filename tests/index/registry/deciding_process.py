"""A second process that records decisions until it is killed, and prints each one's id.

Argument: database URL.
"""

import sys

from index.registry.audit_log import DecisionRecord
from index.registry.registry import Registry

DECISION = DecisionRecord(
    kind="verify",
    verdict="match",
    writer_id="C-1",
    operating_point=None,
    score=0.5,
    log_lr=1.0,
    threshold=0.25,
    non_match_threshold=0.1,
    model_id="a" * 64,
    reference_ids=(1, 2, 3),
    candidates=None,
    probe_sha256="0" * 64,
    caller="anonymous",
)


def main() -> None:
    registry = Registry(sys.argv[1])
    while True:
        sys.stdout.write(registry.decisions.record(DECISION) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
