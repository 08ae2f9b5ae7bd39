"""Keeps what decoders say about damaged files from the process's own output.

Whoever sends files decides how much that is: libtiff alone writes 25 MB in a second.
"""

import ctypes
import logging
import warnings

from PIL import _imaging


def silence_decoders() -> None:
    """Turn off what libtiff prints, what Pillow logs, and Python's warnings from Pillow.

    What matters of it comes as an error as well. Done once, for the whole process.
    """
    # Looked up through Pillow's own module: its libtiff, not one that another library brings.
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, name, None)  # None where libtiff is linked in and hidden.
        if set_handler is not None:
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
    # An ignored warning is not remembered either: remembering each text would fill the memory.
    warnings.filterwarnings("ignore", module=r"PIL\.")
