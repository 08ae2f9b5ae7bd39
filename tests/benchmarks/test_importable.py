"""Every benchmark can be loaded: most are run by hand, and a lost name would be noticed late."""

import importlib
import pkgutil

import pytest

import benchmarks

pytest.importorskip("keras", reason="some benchmarks train")
NAMES = [one.name for one in pkgutil.iter_modules(benchmarks.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_loads(name):
    importlib.import_module(f"benchmarks.{name}")
