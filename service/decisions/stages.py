"""Lets whoever asks a question measure its stages: the use cases say when each begins and ends."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

# In a verification's order; an identification searches where that compares.
Stage = Literal["read", "acquire", "embed", "compare", "search", "record"]


class Stages(Protocol):
    """Gives a context for a stage, which lasts as long as the stage does."""

    def __call__(self, stage: Stage, /) -> AbstractContextManager[object]:
        """Return the context of one stage."""
        ...


def unmeasured(_stage: Stage, /) -> AbstractContextManager[None]:
    """Measure nothing."""
    return nullcontext()
