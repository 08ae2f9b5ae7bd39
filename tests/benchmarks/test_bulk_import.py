"""Both sides of the comparison do their whole work on a few images; no time is judged."""

from benchmarks.bulk_import import measure, scans


def test_both_sides_are_measured_in_turns() -> None:
    result = measure(scans(11), rounds=2, processes=True)
    assert result["images"] == 11
    assert len(result["ratio"]) == len(result["imported_per_s"]) == 2
    assert len(result["alone_in_processes_per_s"]) == 2
    assert len(result["alone_per_s"]) == 3
    assert all(rate > 0 for rate in result["alone_per_s"] + result["imported_per_s"])
