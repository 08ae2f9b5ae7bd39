"""Works out in the background what the gallery tells of its thresholds, as it grows."""

import logging
import threading
import time

from encoder.errors import EncoderError
from index.errors import GalleryError
from index.registry.gallery_calibrations import NewCalibration
from service.errors import NotEnoughWriters, ServiceError
from service.models.gallery_calibration import is_due, put_to_use, work_out
from service.models.live_services import LiveServices, Services
from service.server.alone import alone

logger = logging.getLogger(__name__)

LOOK_S = 10.0
# Requests go before: after each reference it rests nine times as long as that took.
REST = 9
# Where too few writers have references enough, it is tried anew with so many times the references.
MORE = 1.1
LONGEST_STEP_S = 2.0
CALLER = "server"


class Calibrating:
    """A thread of one process; of several on one data folder, one at a time works it out."""

    def __init__(self, live: LiveServices, rest: float = REST) -> None:
        self._live = live
        self._rest = rest
        self._ending = threading.Event()
        self._not_below = 0.0
        self._thread = threading.Thread(target=self._go_on, name="calibrating", daemon=True)

    def start(self) -> None:
        """Begin to look whether the gallery has grown enough."""
        self._thread.start()

    def close(self) -> None:
        """Give up what is under way: the next start begins it anew."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(LONGEST_STEP_S)

    def turn(self) -> bool:
        """Work it out if the gallery has grown enough; return whether something was proposed.

        With COUNTERSIGN_CALIBRATE=auto it is put to use at once.
        """
        services = self._live.current()
        if not self._is_due(services):
            return False
        with alone(services.settings.data_dir / "calibration.lock") as first:
            # Another process may have done so since.
            if not first or not self._is_due(services):
                return False
            new = self._worked_out(services)
            if new is None:
                return False
            kept = services.registry.calibrations.add(new)
            logger.info(
                "calibration proposed id=%d rule=%s writers=%d references=%d",
                kept.calibration_id,
                kept.rule_id,
                kept.writer_count,
                kept.reference_count,
            )
            if services.settings.calibrate == "auto":
                put_to_use(services, kept.calibration_id, CALLER)
        return True

    def _is_due(self, services: Services) -> bool:
        size = services.registry.models.gallery_size(services.encoder.model_id)
        return size.references >= self._not_below and is_due(services)

    def _worked_out(self, services: Services) -> NewCalibration | None:
        """None where the gallery cannot tell yet, or the process is ending."""
        steps = work_out(services, CALLER)
        while True:
            started_s = time.monotonic()
            try:
                next(steps)
            except StopIteration as done:
                new: NewCalibration = done.value
                return new
            except NotEnoughWriters:
                size = services.registry.models.gallery_size(services.encoder.model_id)
                self._not_below = MORE * size.references
                return None
            if self._ending.wait(self._rest * (time.monotonic() - started_s)):
                return None

    def _go_on(self) -> None:
        while not self._ending.wait(LOOK_S):
            try:
                self.turn()
            except (GalleryError, EncoderError, ServiceError, OSError) as error:
                logger.warning("The gallery could not be asked for its thresholds: %s", error)
