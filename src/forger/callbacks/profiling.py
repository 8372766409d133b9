"""Where a round's time goes: PyTorch's profiler over a few rounds."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from forger.console import say
from forger.games.base import Game

#: Rounds that pass first: allocations, autotuning and compilation are not what training costs.
WAIT, WARMUP, ACTIVE = 20, 5, 20


class Profiling(Callback):
    """Writes ``trace.json`` (for chrome://tracing or Perfetto) and ``table.txt`` into a folder.

    Both name the parts of a round ``forger: …``: drawing the fakes, each player's objective and move. Values don't
    change; the profiled rounds are slower.

    Args:
        folder: to write to; made when there is something to write.
        rounds: how many rounds are profiled, after 25 that are not.
    """

    def __init__(self, folder: Path, rounds: int = ACTIVE) -> None:
        self.folder = folder
        self.rounds = rounds
        self._profiler: profile | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if not trainer.is_global_zero:
            return
        pl_module.prepared = _labelled(pl_module.prepared, lambda *_: "forger: prepared (data to floats, fakes)")
        pl_module.objective = _labelled(pl_module.objective, lambda player, *_: f"forger: {player}'s objective")
        for name in ("_descend", "_move"):
            move = _labelled(
                getattr(pl_module, name), lambda player, *_: f"forger: {player}'s move (backward, step, averages)"
            )
            setattr(pl_module, name, move)
        cuda = torch.cuda.is_available()
        if not cuda:  # or it complains of the missing driver
            os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        self._profiler = profile(
            activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])],
            schedule=schedule(wait=WAIT, warmup=WARMUP, active=self.rounds, repeat=1),
            on_trace_ready=self._write,
            record_shapes=True,
            acc_events=True,  # of the one cycle there is: some versions warn otherwise
        )
        self._profiler.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if self._profiler is not None:
            self._profiler.step()

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None
            if not (self.folder / "table.txt").exists():
                say(f"  no profile: it needs {WAIT + WARMUP + self.rounds} rounds, this run had {pl_module.iteration}")

    def _write(self, profiler: profile) -> None:
        self.folder.mkdir(exist_ok=True)
        profiler.export_chrome_trace(str(self.folder / "trace.json"))
        by = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        averages = profiler.key_averages()
        parts = {event.key[8:]: event.cpu_time_total for event in averages if event.key.startswith("forger: ")}
        whole = sum(event.cpu_time_total for event in averages if event.key.startswith("ProfilerStep"))
        parts["the rest (feeding, freezing, Lightning, callbacks)"] = whole - sum(parts.values())
        lines = [f"{self.rounds} rounds; ms a round, everything inside included:"]
        lines += [f"{time / 1000 / self.rounds:10.3f}  {name}" for name, time in {**parts, "a round": whole}.items()]
        table = averages.table(sort_by=by, row_limit=30, max_name_column_width=60)
        (self.folder / "table.txt").write_text("\n".join(lines) + "\n\n" + table)
        say(f"  profile: {self.folder / 'table.txt'}")


def _labelled(method: Callable[..., Any], label: Callable[..., str]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with record_function(label(*arguments)):
            return method(*arguments)

    return call
