"""Gives memory that was freed back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Call it when a large picture was let go; the C library would keep it for what may come.

    glibc alone has a way to ask for it; elsewhere nothing is done.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
