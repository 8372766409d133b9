"""One worker of a sweep: takes trials until all have ended."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any

from omegaconf import OmegaConf
from optuna.exceptions import UpdateFinishedTrialError

from forger.config.former_names import present_name
from forger.config.placement import is_distributed
from forger.console import say
from forger.endings import asking
from forger.sweeps.definition import Definition
from forger.sweeps.processes import Starter, reap_adopted
from forger.sweeps.study import TrialQueue
from forger.sweeps.trial_runner import Lost, TrialRunner, WorkerStopping
from forger.sweeps.warm_starter import WarmStarter
from forger.trial import follow_parent

_POLL = 1.0


def work(definition: Definition) -> int:
    """Take trials of the sweep until all have ended, time is up, or a signal says stop; the exit code.

    0: all ended, or time is up and other workers have the rest; 1: too many failed; 128 + n: signal n, and the trial
    of this worker waits for another one.
    """
    follow_parent()
    queue = TrialQueue(definition)
    minutes = definition.sweep.minutes
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    with _signal() as received, closing(starter_of(definition)) as starter:

        def stopping() -> bool:
            return bool(received) or time.monotonic() > deadline

        while not stopping() and queue.ended() < definition.trials:
            if queue.given_up:
                say(f"sweep {definition.name}: too many trials failed; `forger sweep status` says why")
                return 1
            reap_adopted(starter.pids)
            starter.prepare()  # before there is a trial whose heart must beat
            try:
                trial = queue.claim()
                if trial is None:
                    _wait(_POLL, stopping)
                    continue
                TrialRunner(queue, trial, starter, stopping).run()
            except WorkerStopping:
                break
            except (Lost, UpdateFinishedTrialError):
                continue
        return 128 + received[0] if received else 0


def starter_of(definition: Definition) -> Starter:
    """How the runs of a sweep are started: warm, unless they start further processes of their own.

    Lightning starts the other ranks of a distributed run with the command line of the first.
    """
    # The recorded number of threads, so that results do not depend on the number of workers.
    number = str(definition.sweep.threads)
    threads = {"OMP_NUM_THREADS": number, "MKL_NUM_THREADS": number}
    placed = any(parameter.name.partition(".")[0] == "trainer" for parameter in definition.space)
    if placed or "FORGER_TRAIN" in os.environ or is_distributed(definition.run_config):
        return Starter(threads)
    return WarmStarter(threads, sorted(_modules(OmegaConf.to_container(definition.run_config))))


def _modules(node: Any) -> set[str]:
    """The modules of what a config builds."""
    if isinstance(node, list):
        return set().union(*map(_modules, node))
    if not isinstance(node, dict):
        return set()
    own = {present_name(str(node["_target_"])).rpartition(".")[0]} if "_target_" in node else set()
    return own.union(*map(_modules, node.values()))


def _wait(seconds: float, stopping: object) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stopping():  # type: ignore[operator]
        time.sleep(0.05)


@contextmanager
def _signal() -> Iterator[list[int]]:
    """The signals that asked this process to end, as a list that fills."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)

    former = {number: signal.signal(number, handle) for number in asking()}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
