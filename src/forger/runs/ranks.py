"""The processes of a distributed run, and what to say when one of them has died."""

import signal
import time
from typing import Any

from pytorch_lightning import Trainer

#: Parts of the messages of gloo and NCCL when another process is gone.
_LOST = ("Connection", "connection", "Socket", "gloo", "NCCL", "remote process", "Timed out")


def lost(trainer: Trainer, error: Exception, patience: float = 3.0) -> str | None:
    """Which process has died, as a text, if that caused the error; None otherwise.

    Args:
        trainer: of the run, in any of its processes.
        error: what a collective operation raised.
        patience: seconds to wait for the other process's exit code.
    """
    if trainer.world_size == 1 or not any(part in str(error) for part in _LOST):
        return None
    watched: list[Any] = getattr(trainer.strategy.launcher, "procs", [])
    started = list(watched)
    # Lightning's observer of this list would kill this process, too, before its record is closed.
    watched.clear()
    end = time.monotonic() + patience
    while time.monotonic() < end and not any(process.poll() for process in started):
        time.sleep(0.05)
    for number, process in enumerate(started, start=1):
        if code := process.poll():
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            return f"rank {number} (process {process.pid}) was ended {how}"
    return "another process of this run has ended; what it said stands above or in its own log"
