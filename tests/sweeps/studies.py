"""Sweeps over the stand-in: no torch, no check of the space, a second or two each."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forger.sweeps.definition import Definition, load
from forger.sweeps.processes import Process, Starter
from forger.sweeps.study import TrialQueue
from sweeps import stand_in

LR = "model.players.generator.optimizer.lr"
STAND_IN = f"{sys.executable} {Path(__file__).with_name('stand_in.py')}"
FILE = f"""\
objective: {{fd_digits: minimize}}
space: {{{LR}: "tag(log, interval(1e-4, 1))"}}
overrides: [budget.images=9000, logger=none]
sampler: random
trials: 4
heartbeat: 2
"""
ARMS = f"""\
objective: {{fd_digits: minimize}}
overrides: [logger=none]
arms:
  short: [{LR}=1e-3, budget.images=3000]
  long: [{LR}=1e-1, budget.images=6000]
space: {{seed: "range(0, 2)"}}
sampler: grid
"""


def sweep_file(root: Path, text: str = FILE) -> str:
    """A sweep file below ``root``, which is where runs go too."""
    folder = root / "conf" / "sweep"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text(text)
    return str(folder / "mine.yaml")


def begun(root: Path, *overrides: str, text: str = FILE) -> tuple[Definition, list[str]]:
    """A sweep whose space counts as checked, and the arguments that name it."""
    typed = [sweep_file(root, text), f"run.root={root}/runs", *overrides]
    definition = load(typed[0], typed[1:])
    TrialQueue(definition).study.set_user_attr("checked", True)
    return definition, typed


def environment(**how: Any) -> dict[str, str]:
    return {**os.environ, "FORGER_TRAIN": STAND_IN, "STAND_IN": json.dumps(how)}


def started(action: str, typed: Sequence[str], **how: Any) -> subprocess.Popen[str]:
    """`forger sweep ACTION …` over the stand-in."""
    command = [sys.executable, "-m", "forger", "sweep", action, *typed]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(**how), stdout=pipe, stderr=pipe, text=True)


def done(action: str, typed: Sequence[str], code: int = 0, **how: Any) -> str:
    """What `forger sweep ACTION …` says, which must end with ``code``."""
    process = started(action, typed, **how)
    out, err = process.communicate(timeout=120)
    if process.returncode != code:
        pytest.fail(f"exit code {process.returncode}: {err}")
    return out + err


class Instant(Starter):
    """Runs the stand-in here and now, where no test needs it to be a process."""

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Process:
        output.touch()
        former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["stand_in.py", *arguments])
            patch.setattr(stand_in, "follow_parent", lambda seconds: None)
            for name, value in environment.items():
                patch.setenv(name, value)
            code = stand_in.main()
        for number, handler in former.items():
            signal.signal(number, handler)
        return cast(Process, SimpleNamespace(pid=0, poll=lambda: code, wait=lambda: code))


def rows_of_steps(root: Path) -> list[list[int]]:
    """The steps that each run took, repeated ones too."""
    return [[int(line) for line in path.read_text().split()] for path in sorted(root.rglob("steps.txt"))]


def processes_below(root: Path) -> list[tuple[int, str]]:
    """Processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, NotADirectoryError):
            continue
        if entry.name.isdigit() and str(root) in text and int(entry.name) != os.getpid():
            found.append((int(entry.name), text))
    return found
