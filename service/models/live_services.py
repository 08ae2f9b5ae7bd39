"""One process's services while the model may be switched: opened beside the old ones, then swapped.

The registry says which model is active, and by which calibration of the gallery it decides; every
request asks it. A request that began on one ends on it.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

from encoder.errors import EncoderError
from encoder.inference.encoder import Encoder
from index.errors import GalleryError
from index.registry.gallery_calibrations import GalleryCalibration, InUse
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery, OpenReport
from service.errors import ModelNotReady
from service.models.calibrated import Calibrated, calibrated
from service.settings import Settings

logger = logging.getLogger(__name__)

REOPEN_AFTER_S = 5.0
# For a request that must wait; an index of a million is open in some seconds.
OPENING_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Services:
    """What the use cases work with, in one process: one model's encoder and index.

    `calibration` is the active one of the model, and `told` the newest; the encoder's rule is what
    they make of its own. `in_use` is what the registry said when that was looked up.
    """

    settings: Settings
    registry: Registry
    gallery: Gallery
    encoder: Encoder
    opened: OpenReport
    in_use: InUse
    calibration: GalleryCalibration | None = None
    told: GalleryCalibration | None = None

    def deciding(self, by: Calibrated) -> "Services":
        """The same, with the model as it decides now."""
        return replace(
            self,
            encoder=by.encoder,
            in_use=by.in_use,
            calibration=by.calibration,
            told=by.told,
        )

    def close(self) -> None:
        """Let go of all; an index of this process's own is saved for the next start."""
        self.gallery.close()
        self.registry.close()


class LiveServices:
    """The services that answer now; thread-safe. It owns them: close it, not them."""

    def __init__(self, services: Services, with_model: Callable[[Services, str], Services]) -> None:
        """`with_model` opens another model's encoder and index beside those of some services."""
        self._with_model = with_model
        # Replaced as a whole: a request that took it keeps an encoder and an index that fit.
        self._services = services
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "model-switch")
        self._change: Future[Services] | None = None
        self._retry_at_s = 0.0

    @property
    def settings(self) -> Settings:
        """How this installation runs."""
        return self._services.settings

    def latest(self) -> Services:
        """Return what the last request worked with; nothing is asked, so it cannot fail."""
        return self._services

    @property
    def registry(self) -> Registry:
        """The registry, the same whichever model answers."""
        return self._services.registry

    def current(self) -> Services:
        """Return what a request works with: one SELECT where nothing was switched.

        Another calibration is put to use at once. After a switch of the model, the one from before
        answers until the new one is open, as long as nobody was enrolled whom it does not know;
        then the request waits.

        Raises:
            ModelNotReady: it waited in vain.
        """
        services, in_use = self._followed()
        if in_use.model_id in {None, services.encoder.model_id}:
            return services
        self._begin_change()
        if services.registry.models.knows_all(services.encoder.model_id):
            return services
        return self.settled()

    def settled(self) -> Services:
        """Return the active model's services, waiting for them to be opened after a switch.

        Raises:
            ModelNotReady: they cannot be opened, or not in time.
        """
        give_up_at = time.monotonic() + OPENING_TIMEOUT_S
        while True:
            services, in_use = self._followed()
            if in_use.model_id in {None, services.encoder.model_id}:
                return services
            change = self._begin_change()
            try:
                change.result(max(0.0, give_up_at - time.monotonic()))
            except (EncoderError, GalleryError, FutureTimeoutError) as error:
                raise ModelNotReady("The model was switched and cannot be opened here.") from error

    def close(self) -> None:
        """Let go of all, after a change that is under way."""
        self._pool.shutdown(wait=True)
        self._services.close()

    def _followed(self) -> tuple[Services, InUse]:
        """The services by the calibration in use, and what the registry says is in use."""
        services = self._services
        in_use = services.registry.calibrations.in_use()
        if in_use.model_id != services.encoder.model_id or in_use == services.in_use:
            return services, in_use
        with self._changing:
            services = self._services
            if in_use != services.in_use and in_use.model_id == services.encoder.model_id:
                # In its place, since index and registry stay; a request goes on with what it took.
                self._services = services.deciding(calibrated(services.encoder, services.registry))
                logger.info(
                    "calibration switched from=%s to=%s told=%s rule=%s",
                    services.in_use.calibration_id,
                    self._services.in_use.calibration_id,
                    self._services.in_use.newest_id,
                    self._services.encoder.rule.rule_id,
                )
            return self._services, in_use

    def _begin_change(self) -> "Future[Services]":
        """Open the active model in the background, unless that is going on or failed just now."""
        with self._lock:
            change = self._change
            if change is None or (change.done() and time.monotonic() >= self._retry_at_s):
                change = self._change = self._pool.submit(self._open_active)
            return change

    def _open_active(self) -> Services:
        before = self._services
        started_s = time.monotonic()
        self._retry_at_s = started_s + REOPEN_AFTER_S
        try:
            active = before.registry.models.active()
            if active in {None, before.encoder.model_id}:
                self._retry_at_s = 0.0
                return before
            services = self._with_model(before, str(active))
        except (EncoderError, GalleryError) as error:
            logger.warning("The active model cannot be opened, the one before goes on: %s", error)
            raise
        with self._changing:
            self._services = services
        self._retry_at_s = 0.0
        logger.info(
            "model switched from=%s to=%s index source=%s opened_in_s=%.2f",
            before.encoder.model_id[:12],
            services.encoder.model_id[:12],
            services.opened.source,
            time.monotonic() - started_s,
        )
        return services
