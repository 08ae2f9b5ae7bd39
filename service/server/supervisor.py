"""Keeps a server's processes running: replaces what was killed or stopped, and ends all in time."""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType

logger = logging.getLogger(__name__)

BEAT_S = 0.5
# A process that gives no sign of life for so long is stopped, or hangs; it is killed and replaced.
STOPPED_AFTER_S = 10.0
# Where the supervisor itself was held up for so long, so was everything else.
HELD_UP_S = 3.0
# How long all may take to end when asked to; then they are killed, which loses nothing.
STOP_TIMEOUT_S = 8.0
# A process that lived shorter is replaced later each time, up to the longest pause.
SHORT_LIFE_S = 10.0
LONGEST_PAUSE_S = 30.0
GIVE_UP_AFTER = 5
_PR_SET_PDEATHSIG = 1


class Heartbeat:
    """A process's signs of life, in memory that it shares with the supervisor.

    Times are those of the monotonic clock, which all processes of a system share.
    """

    def __init__(self, place: int = 0) -> None:
        """`place` is the process's among the workers; the one that replaces it has the same."""
        self.place = place
        self._last_s = multiprocessing.get_context("fork").RawValue("d", time.monotonic())
        self._ready = multiprocessing.get_context("fork").RawValue("b", 0)

    @property
    def ready(self) -> bool:
        """Whether the process has come to take requests."""
        return bool(self._ready.value)

    @property
    def age_s(self) -> float:
        """How long ago the last sign was."""
        return time.monotonic() - float(self._last_s.value)

    def beat(self) -> None:
        """Give a sign of life."""
        self._last_s.value = time.monotonic()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Give signs in the background while the process starts, which may take minutes."""
        started = threading.Event()

        def give_signs() -> None:
            while not started.wait(BEAT_S):
                self.beat()

        thread = threading.Thread(target=give_signs, daemon=True)
        thread.start()
        try:
            yield
        finally:
            started.set()
            thread.join()

    async def beat_on(self) -> None:
        """Give signs from the event loop that answers: a loop that hangs gives none."""
        self._ready.value = 1
        while True:
            self.beat()
            await asyncio.sleep(BEAT_S)


class Worker:
    """One process, and what is known of it."""

    def __init__(self, work: Callable[[Heartbeat], None], place: int) -> None:
        self.heartbeat = Heartbeat(place)
        self.started_s = time.monotonic()
        self._parent = os.getpid()
        self._work = work
        # Workers are forked: what they import is there already, and so is the listening socket.
        self.process = multiprocessing.get_context("fork").Process(target=self._run)
        self.process.start()

    def _run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(self._parent)
        self._work(self.heartbeat)


class Supervisor:
    """Runs as many workers as wanted until SIGTERM or SIGINT; build it in the main thread."""

    def __init__(
        self,
        work: Callable[[Heartbeat], None],
        count: int,
        take_leave: Callable[[int], None] = lambda _place: None,
    ) -> None:
        """`work` runs in each worker, after the fork; `take_leave` here, of one's place."""
        self._work = work
        self._leave = take_leave
        self._workers: list[Worker | None] = [None] * count
        self._due_s = [0.0] * count
        self._short_lives = [0] * count
        self._stopping = False
        self._ever_ready = False
        self._looked_s = time.monotonic()

    def run(self) -> int:
        """Return the exit code, once all have ended: 1 if they could not start."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._start_due()
                wait([one.process.sentinel for one in self._workers if one], BEAT_S)
                if not self._stopping and not self._look_after():
                    return 1
            return 0
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _note_ready(self, worker: Worker) -> None:
        if worker.heartbeat.ready and not self._ever_ready:
            self._ever_ready = True
            logger.info("ready")

    def _start_due(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker is None and time.monotonic() >= self._due_s[place]:
                self._workers[place] = Worker(self._work, place)

    def _look_after(self) -> bool:
        """Kill what hangs and take leave of what has ended; return whether to go on."""
        now_s = time.monotonic()
        held_up = now_s - self._looked_s > HELD_UP_S
        self._looked_s = now_s
        for place, worker in enumerate(self._workers):
            if worker is None:
                continue
            self._note_ready(worker)
            if not worker.process.is_alive():
                self._take_leave(place, worker)
            elif held_up:
                worker.heartbeat.beat()
            elif worker.heartbeat.age_s > STOPPED_AFTER_S:
                logger.error(
                    "worker pid=%d gave no sign of life for %.0f s and is killed",
                    worker.process.pid,
                    worker.heartbeat.age_s,
                )
                worker.process.kill()
        hopeless = min(self._short_lives) >= GIVE_UP_AFTER
        failed_start = not self._ever_ready and any(self._short_lives)
        return not (hopeless or failed_start)

    def _take_leave(self, place: int, worker: Worker) -> None:
        lived_s = time.monotonic() - worker.started_s
        short = not worker.heartbeat.ready or lived_s < SHORT_LIFE_S
        self._short_lives[place] = self._short_lives[place] + 1 if short else 0
        # The first replacement comes at once.
        pause_s = 2.0 ** self._short_lives[place] - 2 if self._short_lives[place] else 0.0
        self._due_s[place] = time.monotonic() + min(pause_s, LONGEST_PAUSE_S)
        self._workers[place] = None
        self._leave(place)
        logger.error(
            "worker pid=%d ended by itself, exit code %s, after %.0f s; it is replaced",
            worker.process.pid,
            worker.process.exitcode,
            lived_s,
        )
        worker.process.close()

    def _end_all(self) -> None:
        logger.info("stopping")
        workers = [one for one in self._workers if one]
        for one in workers:
            one.process.terminate()
        give_up_at_s = time.monotonic() + STOP_TIMEOUT_S
        for one in workers:
            one.process.join(max(0.0, give_up_at_s - time.monotonic()))
            if one.process.is_alive():
                logger.warning("worker pid=%d did not end in time", one.process.pid)
                one.process.kill()
                one.process.join()


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent ends, however that comes about.

    Raises:
        SystemExit: it has ended already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)
