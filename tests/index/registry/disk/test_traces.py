"""Traces find what they were made of, wherever it stands, and nothing else."""

import numpy as np
import pytest

from index.registry.disk import traces
from index.registry.disk.traces import TraceMaker, TraceSearch


def packed_of(content=b"", text=None, count=8):
    maker = TraceMaker()
    maker.of_bytes(content, count)
    maker.of_text(text)
    return maker.packed()


@pytest.mark.parametrize("shift", range(5))
def test_a_trace_is_found_at_any_place_and_across_pieces(tmp_path, monkeypatch, shift):
    monkeypatch.setattr(traces, "_CHUNK_BYTES", 1000)
    random = np.random.default_rng(1)
    image = random.bytes(6000)
    search = TraceSearch([(7, packed_of(image, "Ada Lind"))])
    path = tmp_path / "file"
    path.write_bytes(random.bytes(993 + shift) + b"Ada Lind" + image)
    found = list(search.found_in(path))
    assert {one.erasure_id for one in found} == {7}
    assert len(found) == 9
    assert b"Ada Lind" in {one.content for one in found}


def test_what_is_not_there_is_not_found(tmp_path):
    random = np.random.default_rng(2)
    search = TraceSearch([(number, packed_of(random.bytes(9000), f"Name {number}"))
                          for number in range(20)])  # fmt: skip
    path = tmp_path / "file"
    path.write_bytes(random.bytes(3_000_000) + bytes(100_000))
    assert list(search.found_in(path)) == []
    assert list(search.found_in(tmp_path / "none")) == []


def test_margins_and_short_words_are_not_traced():
    assert packed_of(b"\xff" * 9000, "Ann")[traces.SALT_BYTES :] == b""
    assert packed_of(b"\xff" * 300 + bytes(range(200)), None)[traces.SALT_BYTES :]


def test_the_same_bytes_have_other_traces_in_another_erasure():
    image = np.random.default_rng(3).bytes(3000)
    assert packed_of(image)[traces.SALT_BYTES :] != packed_of(image)[traces.SALT_BYTES :]
