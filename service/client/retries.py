"""Decides which failures are worth another attempt, and how long to wait for it."""

import random
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from uuid import uuid4

from service.client.errors import ClientError, NoAnswer, Problem, StillInProgress
from service.client.requests import Call, Request

T = TypeVar("T")

IDEMPOTENCY_KEY = "Idempotency-Key"
RETRIED = frozenset({429, 503})
JITTER = (
    0.25  # So far a wait that the server asks for is stretched, that not all come back at once.
)


@dataclass(frozen=True)
class Retries:
    """How often, and after how long.

    Attributes:
        attempts: in all; 1 is no retry.
        first_wait_s: the longest wait after the first attempt; it doubles with each.
        longest_wait_s: the longest wait there is. A server that asks for more has its answer
            raised at once.
    """

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def wait_s(self, attempt: int, error: ClientError) -> float | None:
        """Seconds to wait after so many attempts, the last with this error; None to give up."""
        if attempt >= self.attempts or not _worth_another(error):
            return None
        asked = error.retry_after_s if isinstance(error, Problem) else None
        if asked is None:
            most = min(self.longest_wait_s, self.first_wait_s * 2 ** (attempt - 1))
            return random.uniform(0, most)  # noqa: S311 - Nobody gains by guessing it.
        if asked > self.longest_wait_s:
            return None
        return asked * random.uniform(1, 1 + JITTER)  # noqa: S311


class Attempts(Generic[T]):
    """The attempts at one call: all send one request, a POST with the same Idempotency-Key.

    Attributes:
        request: what each of them sends.
    """

    def __init__(self, call: Call[T], retries: Retries) -> None:
        self.request = once(call.request)
        self._done = call.done
        self._retries = retries
        self._made = 0
        self._answer_was_lost = False

    def failed(self, error: ClientError) -> float | None:
        """Take note of a failure: seconds to wait for the next attempt, or None if all is done.

        Done is what an attempt did whose answer was lost, and the next one finds done.

        Raises:
            ClientError: the failure itself; there is no other attempt.
        """
        self._made += 1
        if isinstance(error, Problem) and error.code in self._done and self._answer_was_lost:
            return None
        self._answer_was_lost |= isinstance(error, NoAnswer) and error.sent
        wait_s = self._retries.wait_s(self._made, error)
        if wait_s is None:
            raise error
        return wait_s


def once(request: Request) -> Request:
    """Give a POST a fresh Idempotency-Key, by which the server tells it from another like it."""
    if request.method != "POST":
        return request
    return replace(request, headers={**request.headers, IDEMPOTENCY_KEY: str(uuid4())})


def _worth_another(error: ClientError) -> bool:
    if isinstance(error, Problem):
        return error.status in RETRIED or isinstance(error, StillInProgress)
    return isinstance(error, NoAnswer)
