"""The colour of a picture, where it has some: a stamp is told by it, a signature never is."""

import numpy as np
from PIL import Image

from encoder.imaging.pixels import Colour

LOOK_PX = (256, 256)  # Pixels that are looked at for colour,
COLOURED_PERCENTILE = 99.8  # of which so many may be off grey by less than
MIN_COLOUR = 24  # levels between the channels, where a picture is grey.
_GREY_MODES = {"1", "L", "LA", "La"}


def colour_of(image: Image.Image) -> Colour | None:
    """The RGB `(h, w, 3)` uint8 of a loaded picture on white; None where all of it is near grey."""
    if image.mode in _GREY_MODES or image.mode.startswith("I") or image.mode == "F":
        return None
    if image.mode == "LAB":
        return None  # Pillow cannot turn it into RGB.
    few = _on_white(image.resize(LOOK_PX, Image.Resampling.NEAREST)).astype(np.int16)
    if np.percentile(np.ptp(few, axis=2), COLOURED_PERCENTILE) < MIN_COLOUR:
        return None
    return _on_white(image)


def _on_white(image: Image.Image) -> Colour:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGBA", rgba.size, "white")
        image.alpha_composite(rgba)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
