"""Runs as processes of their own: started, stopped, reaped."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from forger.trial import PARENT

#: Seconds that a run gets to save its state after SIGTERM.
TO_SAVE = 120.0
#: `PR_SET_CHILD_SUBREAPER` of Linux's prctl.
_SUBREAPER = 36
_adopts = False


def adopt_orphans() -> None:
    """Have descendants whose parent is killed become children of this process (on Linux).

    Otherwise process 1 inherits them, and in a container it may never wait for them.
    """
    global _adopts
    if sys.platform == "linux":
        _adopts = ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0


def reap_adopted(own: Collection[int]) -> None:
    """Reap adopted children that have ended; those in ``own`` are waited for elsewhere."""
    while _adopts:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in own:
            return
        os.waitpid(ended.si_pid, 0)


def started(
    command: Sequence[str], environment: Mapping[str, str], output: Path, folder: str | None = None
) -> subprocess.Popen[bytes]:
    """A child of this process that says its lines to the end of a file, and ends itself when this process is gone.

    In a process group of its own, so that Ctrl-C in a terminal reaches it once: through its parent.
    """
    with output.open("ab") as file:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            process_group=0,
        )


class Process(Protocol):
    """What a worker needs of a running run."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, negative for a signal that killed it; None while it runs."""
        ...

    def send_signal(self, sig: int) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Starter:
    """Starts ``forger train ARGUMENTS`` as a new process each time.

    Args:
        environment: for every run, on top of this process's.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment}
        self._cold: list[subprocess.Popen[bytes]] = []

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Process:
        """A run with its lines in a file. FORGER_TRAIN, where set, is the command line to start in its place."""
        command = shlex.split(os.environ.get("FORGER_TRAIN", "")) or [sys.executable, "-m", "forger", "train"]
        process = started([*command, *arguments], {**self.environment, **environment}, output)
        self._cold.append(process)
        return process

    def prepare(self) -> bool:
        """Whether runs will start warm."""
        return False

    @property
    def pids(self) -> set[int]:
        """Children that this starter waits for."""
        return {process.pid for process in self._cold if process.returncode is None}

    def close(self) -> None:
        """Nothing is kept."""


def stop(process: Process, meanwhile: Callable[[], object] = lambda: None) -> int:
    """SIGTERM, on which a run saves its state; SIGKILL if that takes too long. The exit code.

    ``meanwhile`` is called about every second.
    """
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + TO_SAVE
    while time.monotonic() < deadline:
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            meanwhile()
    process.send_signal(signal.SIGKILL)
    return process.wait()
