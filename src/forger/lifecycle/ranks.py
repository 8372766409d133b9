"""The processes of a distributed run: which of them this one is, and what to say when one of them has died."""

import signal
import time
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only

from forger.config.instantiation import built_trainer
from forger.config.schema import TrainerConfig

#: Parts of the messages of gloo and NCCL when another process is gone.
_LOST = ("Connection", "connection", "Socket", "gloo", "NCCL", "remote process", "Timed out")


def rank(placement: TrainerConfig) -> int:
    """This process's rank in a run placed like this: what the strategy says, not what a launcher left behind.

    With one device it is 0: two tasks of one device each are two runs. Lightning itself tells its loggers by the
    environment who they are, unless its strategy is a distributed one; they are told here.

    Raises:
        ConfigError: Lightning can't start here as it is told to.
    """
    trainer = built_trainer(placement, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    rank_zero_only.rank = trainer.global_rank
    return trainer.global_rank


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
