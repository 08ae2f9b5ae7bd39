"""Drawn galleries: as large as asked for, with no more probes than writers."""

import numpy as np

from benchmarks.signature_like import gallery


def test_a_small_gallery_has_a_probe_of_each_writer_at_most():
    vectors, probes = gallery(50, seed=1, probes=8000)
    assert (len(vectors), len(probes)) == (50, 10)
    assert np.allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)
