"""An image that the registry holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredImage:
    """An image as it was uploaded, or its cleaned preview."""

    data: bytes
    media_type: str
