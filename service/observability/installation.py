"""What is found out when it is asked for: disk, registry, model, index of the process that answers.

What cannot be had is left out, and a gauge says so: the rest must be told just then.
"""

import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from encoder.inference.unseen_errors import RATES, Range, unseen_errors
from index.errors import GalleryError
from service.models.live_services import Services
from service.observability.certificates import certificate_expires_s
from service.observability.metrics import Metrics
from service.version import VERSION

# For how many references the model's thresholds and errors are told; five are a good number.
REFERENCES = 5

Told = dict[str, tuple[str, float]]


class InstallationCollector(Collector):
    """Gauges of what all processes of a server share, read at each collection."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Give them all."""
        yield _info("countersign_build", "This version.", version=VERSION, python=_python())
        workers = "Processes that this server should have."
        yield GaugeMetricFamily("countersign_workers", workers, self._services.settings.workers)
        yield from self._disk()
        yield from self._certificate()
        yield from self._model()
        yield from self._index()
        yield from self._registry()

    def _disk(self) -> Iterator[Metric]:
        room = shutil.disk_usage(self._services.settings.data_dir)
        about = "of the disk that the data folder is on, in bytes."
        yield GaugeMetricFamily("countersign_disk_free_bytes", f"Free room {about}", room.free)
        yield GaugeMetricFamily("countersign_disk_size_bytes", f"Size {about}", room.total)

    def _certificate(self) -> Iterator[Metric]:
        path = self._services.settings.tls_cert
        if path is not None:
            with suppress(OSError, ValueError):  # It was replaced by something else meanwhile.
                yield GaugeMetricFamily(
                    "countersign_tls_certificate_expires_timestamp_seconds",
                    "When the server's certificate expires, in Unix time.",
                    certificate_expires_s(path),
                )

    def _model(self) -> Iterator[Metric]:
        """Which model decides by what, and what it came to on data sets it was not fitted on."""
        encoder = self._services.encoder
        rule = encoder.rule
        yield _info(
            "countersign_model",
            "The model that answers.",
            model=encoder.name,
            model_id=encoder.model_id[:12],
            rule_id=rule.rule_id,
        )
        point = rule.default_operating_point
        bounds = rule.calibration_for(REFERENCES).points[point]
        thresholds = GaugeMetricFamily(
            "countersign_model_threshold",
            f"Scores that decide at the default operating point with {REFERENCES} references.",
            labels=("verdict",),
        )
        thresholds.add_metric(("match",), bounds.match)
        thresholds.add_metric(("non_match",), bounds.non_match)
        yield thresholds
        yield from self._expected(point)

    def _expected(self, point: str) -> Iterator[Metric]:
        encoder = self._services.encoder
        own_bounds = encoder.rule.gallery is not None
        errors = unseen_errors(encoder.manifest, REFERENCES, point, own_bounds=own_bounds)
        if errors is None:
            return
        expected = GaugeMetricFamily(
            "countersign_model_expected_error_rate",
            "Errors to expect at the default operating point, over data sets never seen.",
            labels=("rate", "over"),
        )
        for rate in RATES:
            found: Range | None = getattr(errors, rate)
            if found is not None:
                expected.add_metric((rate, "mean"), found.mean)
                expected.add_metric((rate, "worst"), found.worst)
        yield expected

    def _index(self) -> Iterator[Metric]:
        with suppress(GalleryError):
            stats = self._services.gallery.stats()
            words = {name: value for name, value in stats.items() if isinstance(value, str)}
            yield _info("countersign_index", "Kind of the vector index.", **words)

    def _registry(self) -> Iterator[Metric]:
        registry = self._services.registry
        usable = 1.0
        try:
            size = registry.models.gallery_size(self._services.encoder.model_id)
            revision = registry.changes.revision()
            _, pending = registry.erasures.count()
            counted = {
                "countersign_gallery_writers": ("Writers with references.", size.writers),
                "countersign_gallery_references": ("References enrolled.", size.references),
                "countersign_registry_revision": ("Revision of the registry.", revision),
                "countersign_erasures_pending": (
                    "Erasures whose bytes may still be on disk.",
                    pending,
                ),
                "countersign_reviews_waiting": (
                    "Decisions that wait for a person.",
                    registry.reviews.waiting(),
                ),
                "countersign_reviews_oldest_seconds": (
                    "Age of the decision that waits longest for a person, 0 where none waits.",
                    _age_s(registry.reviews.oldest()),
                ),
            }
            for name, (about, value) in counted.items():
                yield GaugeMetricFamily(name, about, value)
            registry.require_usable()
        except GalleryError:
            usable = 0.0
        about = "1 if the registry can be read and written to."
        yield GaugeMetricFamily("countersign_registry_usable", about, usable)


def tell_of_index(services: Services, metrics: Metrics) -> None:
    """Tell how large this process's index is, how well it finds, and how far it is behind."""
    told: Told = {}
    usable = 1.0
    try:
        stats = services.gallery.stats()
        for name, value in stats.items():
            if isinstance(value, int | float):
                about = f"{name.replace('_', ' ').capitalize()} of the vector index."
                told[f"countersign_index_{name}"] = (about, value)
        behind = services.registry.changes.revision() - int(stats["revision"] or 0)
        about = "Changes of the registry that the index has not applied; a search applies them."
        told["countersign_index_lag"] = (about, max(behind, 0))
    except GalleryError:
        usable = 0.0
    told["countersign_index_usable"] = ("1 if the index can be asked.", usable)
    metrics.tell_of_worker(told)


def _age_s(moment: datetime | None) -> float:
    return 0.0 if moment is None else max((datetime.now(UTC) - moment).total_seconds(), 0.0)


def _python() -> str:
    return platform.python_version()


def _info(name: str, about: str, **words: str) -> Metric:
    return InfoMetricFamily(name, about, words)
