"""The cost table's parts do what they say on a tiny setting; no time is judged."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.costed_networks import (
    CostedNetwork,
    quantised,
    signet_sized_network,
    synthetic_canvases,
)
from benchmarks.encoder_cost import changes, measure
from encoder.inference.artifact import read_artifact


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[CostedNetwork]:
    folder = tmp_path_factory.mktemp("networks")
    shipped = read_artifact()
    plain, inputs = folder / "shipped.onnx", folder / "shipped.npy"
    plain.write_bytes(shipped.network)
    np.save(inputs, synthetic_canvases(shipped.canvas_size, 2))
    int8 = quantised(plain, inputs)
    dense = quantised(plain, inputs, dense_only=True)
    return [
        CostedNetwork("fp32", plain, inputs),
        CostedNetwork("int8", int8, inputs, plain),
        CostedNetwork("dense int8", dense, inputs, plain),
    ]


def test_every_network_is_timed_on_one_core_and_two(networks: list[CostedNetwork]) -> None:
    rows = measure(networks, rounds=1, starts=1)
    assert list(rows) == ["fp32", "int8", "dense int8"]
    for row in rows.values():
        assert set(row["cores"]) == {"1", "2"}
        for cost in row["cores"].values():
            assert 0 < cost["ms_p50"] <= cost["ms_p99"]
            assert cost["images_per_s"] > 0
        assert row["cold_start_s"] > 0
        assert row["resident_mib"] > 10
    assert rows["int8"]["file_mb"] < rows["fp32"]["file_mb"] / 2


def test_quantising_everything_moves_similarities_more(networks: list[CostedNetwork]) -> None:
    moved = changes(networks)
    assert list(moved) == ["int8", "dense int8"]
    assert 0 < moved["dense int8"]["worst"] < moved["int8"]["worst"] < 1


def test_a_network_that_does_not_load_is_said_to(tmp_path: Path) -> None:
    broken, inputs = tmp_path / "broken.onnx", tmp_path / "broken.npy"
    broken.write_bytes(b"no network")
    np.save(inputs, np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(RuntimeError, match=r"network_process.*ended with status 1"):
        measure([CostedNetwork("broken", broken, inputs)], rounds=1, starts=1)


def test_the_signet_sized_network_is_of_its_size() -> None:
    network = signet_sized_network()
    assert network.output_shape == (None, 2048)
    assert network.count_params() == pytest.approx(15.8e6, rel=0.01)
