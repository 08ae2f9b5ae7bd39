"""What an upload may weigh, and what is said of one that weighs more."""

from dataclasses import dataclass

from encoder.errors import OversizeImage


@dataclass(frozen=True)
class ImageLimits:
    """What an upload may weigh; all is checked before anything is decompressed.

    Attributes:
        max_image_bytes: of the file.
        max_image_pixels: of one page.
        max_reduced_pixels: of a JPEG that can be reduced while it is decoded.
        max_video_pixels: of HEIC and AVIF, whose decoders hold several copies of a picture.
        max_animated_pixels: of an animated WebP, whose decoder holds more.
    """

    max_image_bytes: int = 10 * 2**20
    max_image_pixels: int = 40_000_000
    max_reduced_pixels: int = 210_000_000
    max_video_pixels: int = 25_000_000
    max_animated_pixels: int = 16_000_000


def refuse_too_many_bytes(size: int, limits: ImageLimits) -> None:
    """Refuse a file of more bytes than allowed.

    Raises:
        OversizeImage: it has more.
    """
    if size > limits.max_image_bytes:
        raise OversizeImage(
            "too-many-bytes",
            f"The file has {size} bytes; at most {limits.max_image_bytes} are read. "
            "Scan in grey at 300 dpi, or crop to the signature.",
        )


def refuse_too_many_pixels(what: str, size: tuple[int, int], most: int) -> None:
    """Refuse a picture `size` (width, height) of more than `most` pixels.

    Raises:
        OversizeImage: it has more.
    """
    width, height = size
    if width * height > most:
        raise OversizeImage(
            "too-many-pixels",
            f"The {what} has {width} x {height} pixels; at most {most} are read. "
            "Crop it to the signature, or scan at 300 dpi.",
        )
