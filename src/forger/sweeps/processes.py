"""Runs as processes of their own."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

#: Seconds that a run gets to save its state after SIGTERM.
_TO_SAVE = 120.0


class Process(Protocol):
    """What a worker needs of a running run."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, negative for a signal that killed it; None while it runs."""
        ...

    def send_signal(self, sig: int) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


def start(arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Process:
    """Start ``forger train ARGUMENTS`` with its lines in a file.

    FORGER_TRAIN, where set, is the command line to start in its place.
    """
    command = shlex.split(os.environ.get("FORGER_TRAIN", "")) or [sys.executable, "-m", "forger", "train"]
    with output.open("ab") as file:
        # A process group of its own, so that Ctrl-C in a terminal reaches the run once: through the worker.
        return subprocess.Popen(
            [*command, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            process_group=0,
        )


def stop(process: Process) -> int:
    """SIGTERM, on which a run saves its state; SIGKILL if that takes too long. The exit code."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(_TO_SAVE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()
