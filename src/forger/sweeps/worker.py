"""One worker of a sweep: takes trials until all have ended."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from forger.console import say
from forger.sweeps.attempt import Attempt, Lost, Stopped
from forger.sweeps.definition import Definition
from forger.sweeps.study import Slots
from forger.trial import follow_parent

#: Set by `forger sweep run` for the workers it starts: they end with it.
FOLLOW = "FORGER_SWEEP_PARENT"
_POLL = 1.0


def work(definition: Definition) -> int:
    """Take trials of the sweep until all have ended, time is up, or a signal says stop; the exit code.

    0: all ended, or none is left that others are not at work on and time is up; 1: too many failed; 128 + n:
    signal n, and what this worker was at waits for another one.
    """
    if os.environ.get(FOLLOW) == str(os.getppid()):
        follow_parent()
    slots = Slots(definition)
    minutes = definition.sweep.minutes
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    with _signal() as received:

        def stopping() -> bool:
            return bool(received) or time.monotonic() > deadline

        while not stopping() and slots.ended() < definition.trials:
            if slots.given_up:
                say(f"sweep {definition.name}: too many trials failed; `forger sweep status` says why")
                return 1
            trial = slots.claim()
            if trial is None:
                _wait(_POLL, stopping)
                continue
            try:
                Attempt(slots, trial, run_environment(definition), stopping).perform()
            except Stopped:
                break
            except Lost:
                continue
        return 128 + received[0] if received else 0


def run_environment(definition: Definition) -> dict[str, str]:
    """Variables for every run, so that results do not depend on how many workers there are."""
    threads = str(definition.sweep.threads)
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)


def _wait(seconds: float, stopping: object) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stopping():  # type: ignore[operator]
        time.sleep(0.05)


@contextmanager
def _signal() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM that arrived, as a list that fills."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
