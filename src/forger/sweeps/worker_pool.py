"""The workers of `forger sweep run`, supervised until the sweep is over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Protocol

from rich.live import Live

from forger.console import console, say
from forger.endings import asking, leave_terminal
from forger.sweeps import status
from forger.sweeps.processes import reap_adopted, started
from forger.sweeps.study import TrialQueue

#: How often a killed worker is replaced.
_REPLACEMENTS = 10


class Worker(Protocol):
    """The interface of a worker, on this machine or elsewhere."""

    returncode: int | None

    def poll(self) -> int | None:
        """The exit code, negative where it was killed; None while it is at work."""
        ...

    def send_signal(self, sig: int) -> None: ...


def local_worker(
    queue: TrialQueue, arguments: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """`forger sweep worker ARGUMENTS` on this machine, its lines in ``workers.txt``."""
    command = [sys.executable, "-m", "forger", "sweep", "worker", *arguments]
    return started(command, {**os.environ, **environment}, queue.definition.root / "workers.txt")


class WorkerPool:
    """Workers that are followed, replaced where they were killed, and ended by the signals that ask for it.

    Args:
        queue: the study.
        starts: what starts each worker, at first and when it was killed.
    """

    def __init__(self, queue: TrialQueue, starts: Sequence[Callable[[], Worker]]) -> None:
        self.queue = queue
        self.starts = list(starts)
        self.signal = 0
        self.replaced = 0
        self._forwarded = False
        self._said = -1
        self.workers = [start() for start in self.starts]

    def supervise(self) -> int:
        """Wait for the workers to end; the worst exit code."""
        former = {each: signal.signal(each, self._note) for each in asking()}
        try:
            if console.is_terminal:
                with Live(console=console, refresh_per_second=4) as live:
                    return self._supervise(lambda: live.update(status.table(status.snapshot(self.queue))))
            return self._supervise(self._say_progress)
        finally:
            for each, handler in former.items():
                signal.signal(each, handler)

    def _supervise(self, show: Callable[[], None]) -> int:
        while self._at_work():
            show()
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and self._at_work():
                self._forward()
                time.sleep(0.05)
            reap_adopted({worker.pid for worker in self.workers if isinstance(worker, subprocess.Popen)})
            for index, worker in enumerate(self.workers):
                killed = (worker.poll() or 0) < 0
                if killed and not self.signal and self.replaced < _REPLACEMENTS:
                    self.replaced += 1
                    say(f"a worker was killed by signal {-(worker.returncode or 0)}; another takes its place")
                    self.workers[index] = self.starts[index]()
        show()
        if self.signal:
            return 128 + self.signal
        return max(1 if worker.returncode else 0 for worker in self.workers)

    def _at_work(self) -> bool:
        return any(worker.poll() is None for worker in self.workers)

    def _say_progress(self) -> None:
        ended = self.queue.ended()
        if ended not in (self._said, self.queue.definition.trials):
            self._said = ended
            say(status.line(status.snapshot(self.queue)))

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        self.signal = number

    def _forward(self) -> None:
        """Have the workers save their runs and end, once."""
        if not self.signal or self._forwarded:
            return
        self._forwarded = True
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
