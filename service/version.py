"""Says which version of Countersign this is."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("countersign")
except PackageNotFoundError:
    VERSION = "0+checkout"  # Run from a source tree that was never installed.
