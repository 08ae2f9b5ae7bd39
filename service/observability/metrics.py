"""What a server counts and times as it answers; no label holds anything of a person.

Every label has few values, and all of them are this program's own words: patterns of routes rather
than addresses, codes rather than messages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from service.decisions.stages import Stage, Stages

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
SCORE = "countersign_verification_score"
# Of the months that a server has lived through, so many are told of.
MONTHS = 12
# Scores are log10 odds; what is beyond these is beyond every threshold.
SCORES = (-6.0, -5.0, -4.0, *(one / 2 for one in range(-6, 7)), 4.0, 5.0, 6.0)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


@dataclass(frozen=True)
class Answered:
    """A request that was answered: by which route's pattern, how, and in how many seconds."""

    route: str
    method: str
    status: int
    seconds: float


class Metrics:
    """The metrics of one process, and the way to tell those of all of its server; thread-safe."""

    def __init__(self, folder: Path | None = None, place: int = 0) -> None:
        """Keep them in a folder that the server's processes share (`share_values`), or here alone.

        `place` is this process's among them.
        """
        self._folder = folder
        self._worker = str(place)
        self._own = CollectorRegistry()
        own = self._own
        self._requests = Counter(
            "countersign_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=own,
        )
        self._durations = Histogram(
            "countersign_http_request_duration_seconds",
            "From when a request had come in whole to its answer.",
            ("route", "method"),
            buckets=SECONDS,
            registry=own,
        )
        self._in_progress = Gauge(
            "countersign_http_requests_in_progress",
            "Requests that are coming in, wait for a thread, or are being answered.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._problems = Counter(
            "countersign_problems", "Requests refused or failed.", ("code", "status"), registry=own
        )
        self._refused_images = Counter(
            "countersign_refused_images", "Images that could not be used.", ("code",), registry=own
        )
        self._decisions = Counter(
            "countersign_decisions", "Questions answered.", ("question", "verdict"), registry=own
        )
        self._warnings = Counter(
            "countersign_warnings", "Warnings beside verdicts.", ("question", "code"), registry=own
        )
        self._stages = Histogram(
            "countersign_stage_duration_seconds",
            "Stages of answering a question.",
            ("question", "stage"),
            buckets=STAGE_SECONDS,
            registry=own,
        )
        self._scores = Histogram(
            SCORE, "Scores of verifications, by month.", ("month",), buckets=SCORES, registry=own
        )
        self._ready = Gauge(
            "countersign_workers_ready",
            "Processes that take requests.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._of_worker: dict[str, Gauge] = {}

    def answered(self, request: Answered) -> None:
        """Count and time a request."""
        method = request.method if request.method in METHODS else OTHER
        self._requests.labels(request.route, method, request.status).inc()
        self._durations.labels(request.route, method).observe(request.seconds)

    def in_progress(self) -> AbstractContextManager[object]:
        """Give a context that lasts as long as a request does."""
        return self._in_progress.track_inprogress()

    def problem(self, code: str, status: int) -> None:
        """Count a request that was refused or failed."""
        self._problems.labels(code, status).inc()

    def refused_images(self, codes: Iterable[str]) -> None:
        """Count images that could not be used, by the reason."""
        for code in codes:
            self._refused_images.labels(code).inc()

    def stages(self, question: str) -> Stages:
        """Return what measures the stages of a question."""
        return partial(self._stage, question)

    def decided(self, question: str, verdict: str, codes: Sequence[str]) -> None:
        """Count the answer to a question, and each of the warnings beside it."""
        self._decisions.labels(question, verdict).inc()
        for code in codes:
            self._warnings.labels(question, code).inc()

    def scored(self, score: float) -> None:
        """Count the score of a verification in the distribution of this month."""
        self._scores.labels(f"{datetime.now(UTC):%Y-%m}").observe(score)

    def ready(self) -> None:
        """Count this process among those that take requests."""
        self._ready.set(1)

    def tell_of_worker(self, told: Mapping[str, tuple[str, float]]) -> None:
        """Set gauges of this process, by their names; each with what it says, and its value."""
        for name, (about, value) in told.items():
            if name not in self._of_worker:
                self._of_worker[name] = Gauge(
                    name, about, ("worker",), registry=self._own, multiprocess_mode="livemax"
                )
            self._of_worker[name].labels(self._worker).set(value)

    def text(self, *more: Collector) -> bytes:
        """Return the metrics of the whole server and those of `more`, in Prometheus's format."""
        told = CollectorRegistry()
        told.register(_Told(self._collected()))
        for one in more:
            told.register(one)
        return generate_latest(told)

    def _stage(self, question: str, stage: Stage, /) -> AbstractContextManager[object]:
        return self._stages.labels(question, stage).time()

    def _collected(self) -> Iterable[Metric]:
        if self._folder is None:
            return self._own.collect()
        everything: Iterable[Metric] = MultiProcessCollector(None, str(self._folder)).collect()  # type: ignore[no-untyped-call]
        return everything


class _Told(Collector):
    """What was collected, without the scores of months long ago."""

    def __init__(self, collected: Iterable[Metric]) -> None:
        self._collected = list(collected)

    def collect(self) -> Iterator[Metric]:
        for metric in self._collected:
            if metric.name == SCORE:
                months = sorted({one.labels["month"] for one in metric.samples})[-MONTHS:]
                metric.samples = [one for one in metric.samples if one.labels["month"] in months]
            yield metric
