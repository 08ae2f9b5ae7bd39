"""What an identification costs beside a verification, and whether more callers get more answers.

A gallery of 25 invented writers with five references each, in this process, on one core: a query
signature by one of them and one by a stranger.
`python -m benchmarks.identification_cost`; in two checkouts one after the other, to compare them.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.composition import build_services, prepare_folders
from service.decisions.identify import identify
from service.decisions.verify import verify
from service.settings import read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

WRITERS, REFERENCES = 25, 5
STRANGER = 90
CALLERS = (1, 2, 4)
WARM_UP = 10


def main() -> None:
    """Print medians, and answers a second by number of callers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=100, help="how many of each (100)")
    count = parser.parse_args().requests
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings({"COUNTERSIGN_DATA_DIR": folder})
        prepare_folders(settings)
        upgrade(settings.database_url)
        services = build_services(settings)
        parts = {"encoder": services.encoder, "registry": services.registry}
        for seed in range(WRITERS):
            scans = [_scan(seed, n) for n in range(REFERENCES)]
            create_writer(f"W-{seed}", "", scans, gallery=services.gallery, **parts)
        own, other = _scan(3, 9), _scan(STRANGER, 0)
        asked: dict[str, Callable[[], object]] = {
            "verification": lambda: verify("W-3", own, **parts),
            "verification, another's": lambda: verify("W-3", other, **parts),
            "identification": lambda: identify(own, gallery=services.gallery, **parts),
            "identification, a stranger's": lambda: identify(
                other, gallery=services.gallery, **parts
            ),
        }
        heads = (*("", "p50 ms"), *(f"a second, {n} callers" for n in CALLERS))
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for name, ask in asked.items():
            rates = [f"{_throughput(ask, callers, count):.0f}" for callers in CALLERS]
            print(f"| {name} | {_p50_ms(ask, count):.1f} | {' | '.join(rates)} |")
        services.close()


def _scan(seed: int, number: int) -> Upload:
    return Upload(f"{seed}-{number}.png", encode_png(synthetic_writer(seed).genuine(number)))


def _p50_ms(ask: Callable[[], object], count: int) -> float:
    for _ in range(WARM_UP):
        ask()
    took = []
    for _ in range(count):
        started = perf_counter()
        ask()
        took.append(perf_counter() - started)
    return 1000 * median(took)


def _throughput(ask: Callable[[], object], callers: int, count: int) -> float:
    with ThreadPoolExecutor(callers) as pool:
        started = perf_counter()
        for answer in [pool.submit(ask) for _ in range(count)]:
            answer.result()
        return count / (perf_counter() - started)


if __name__ == "__main__":
    main()
