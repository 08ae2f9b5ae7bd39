"""Serves as `countersign serve` does, and tells in each answer how long its stages took.

The stages' functions are timed from here, so that the product carries no stopwatch. The answer's
header Server-Timing names them, in milliseconds; a stage's time holds that of the stages within.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import onnxruntime
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

import encoder.imaging.acquire
import service.api.decisions
import service.server.worker
from encoder.inference.encoder import Encoder
from service.cli import main
from service.server.front import Front, Limits

HEADER = "Server-Timing"
STAGES: tuple[tuple[object, str], ...] = (
    (encoder.imaging.acquire, "decode"),
    (Encoder, "acquire"),
    (Encoder, "describe"),
    (onnxruntime.InferenceSession, "run"),
    (service.api.decisions, "verify"),
    (SQLiteDialect_pysqlite, "do_commit"),
)

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Spent(threading.local):
    def __init__(self) -> None:
        self.milliseconds: defaultdict[str, float] = defaultdict(float)


_spent = _Spent()


def timed_front(app: WsgiApp, limits: Limits, **more: Any) -> Front:
    """Build what a worker puts before its application, with stopwatches between the two."""
    for owner, name in STAGES:
        setattr(owner, name, _timed(name, getattr(owner, name)))
    return Front(_telling(app), limits, **more)


def _timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _spent.milliseconds[name] += (time.perf_counter() - start) * 1e3

    return timed


def _telling(app: WsgiApp) -> WsgiApp:
    timed_app = _timed("application", app)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started: list[Any] = []

        def hold(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = status, headers

        _spent.milliseconds.clear()
        body: Iterable[bytes] = timed_app(environ, hold)
        status, headers = started
        told = ", ".join(f"{name};dur={spent:.4f}" for name, spent in _spent.milliseconds.items())
        start_response(status, [*headers, (HEADER, told)])
        return body

    return answer


if __name__ == "__main__":
    service.server.worker.Front = timed_front  # type: ignore[assignment, misc]
    main()
