"""Everything that can go wrong in the encoder, as one tree of errors.

EncoderError
├── ImageError                  the caller's image cannot be used; the message is safe to show
│   ├── UndecodableImage        not an image we read, or a damaged one
│   ├── OversizeImage           over the limit on bytes or pixels
│   └── FailureToAcquire        an image, but without a usable signature (ISO/IEC 19795-1)
├── ArtifactError               a model folder that is missing, damaged or foreign
│   ├── UnusableRule            the numbers of a decision rule are not all there, or cannot decide
│   └── UnusableCohort          marks to compare with that are damaged, or of another model
├── TrainingDataError           a folder that training or evaluation cannot use
└── UnknownOperatingPoint       an operating point that the model does not offer
"""

from collections.abc import Mapping, Sequence


class EncoderError(Exception):
    """Base of all errors raised by the encoder."""


class ImageError(EncoderError):
    """The caller's image cannot be used; `code` is a stable word for it, `str()` the sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UndecodableImage(ImageError):
    """The bytes are not an image that is read here, or a damaged one."""


class OversizeImage(ImageError):
    """The image has more bytes or more pixels than allowed."""


class FailureToAcquire(ImageError):
    """The image was read, but no usable signature was found in it.

    `boxes` say what was found instead, and where in the image, where that helps to choose a
    region: `x`, `y`, `w`, `h` in its pixels, upright, and `what`.
    """

    def __init__(
        self, code: str, message: str, boxes: Sequence[Mapping[str, int | str]] = ()
    ) -> None:
        super().__init__(code, message)
        self.boxes = tuple(dict(box) for box in boxes)


class ArtifactError(EncoderError):
    """A model folder is missing, damaged, or made for another version."""


class UnusableRule(ArtifactError):
    """The numbers of a decision rule are not all there, or cannot decide."""


class UnusableCohort(ArtifactError):
    """The marks of other hands that come with a model are damaged, or another model's."""


class TrainingDataError(EncoderError):
    """A folder of writers cannot be used for training or evaluation."""


class UnknownOperatingPoint(EncoderError):
    """The operating point asked for is none that the model was calibrated for."""

    def __init__(self, requested: str, available: Sequence[str]) -> None:
        super().__init__(
            f"The operating point {requested!r} is not known; this model offers "
            f"{', '.join(available)}."
        )
        self.requested = requested
        self.available = tuple(available)
