"""`forger sweep run|worker|status|export-wandb SWEEP`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from rich.live import Live

from forger.console import console, say, show_lines
from forger.errors import ConfigError, closest
from forger.options import number
from forger.sweeps import status
from forger.sweeps.definition import Definition, load
from forger.sweeps.devices import devices_of_workers
from forger.sweeps.study import Slots
from forger.sweeps.worker import FOLLOW, work

_ACTIONS = ("run", "worker", "status", "export-wandb")
#: A worker that was killed is replaced, but not for ever.
_REPLACEMENTS = 10


def sweep(arguments: Sequence[str]) -> int:
    """The command; its exit code."""
    action, name, overrides, options = _parsed(list(arguments))
    show_lines()
    if action == "export-wandb":
        from forger.sweeps.wandb_export import export

        return export(load(name, overrides, options.get("config-dir")), options.get("out"))
    definition = load(name, overrides, options.get("config-dir"))
    if action == "status":
        status.show(Slots(definition, create=False, only_look=True), as_json="json" in options)
        return 0
    slots = _begun(definition)
    typed = [name, *overrides]
    if definition.config_folder is not None:
        typed += ["--config-dir", definition.config_folder]
    if action == "worker":
        return work(definition)
    if definition.launcher.kind == "slurm":
        from forger.sweeps.launching import submit

        return submit(definition, typed)
    workers = number(options, "workers", int, 1) if "workers" in options else definition.launcher.workers
    return _run(slots, typed, workers)


def _begun(definition: Definition) -> Slots:
    """The study, whose definition has been checked if it is new."""
    try:
        slots = Slots(definition, create=False)
        if slots.study.user_attrs.get("checked"):
            return slots
    except ConfigError as error:
        if "not begun yet" not in str(error):
            raise
    from forger.sweeps.checking import check

    check(definition)
    slots = Slots(definition)
    slots.study.set_user_attr("checked", True)
    slots.fill()
    return slots


def _run(slots: Slots, typed: list[str], wanted: int | None) -> int:
    """Workers on this machine, a table of what they do, and the exit code."""
    definition = slots.definition
    open_trials = definition.trials - slots.ended()
    if open_trials:
        places = devices_of_workers(definition, wanted)[: max(open_trials, 1)]
        several = "" if len(places) == 1 else "s"
        say(f"sweep {definition.name}: {open_trials} trials to go, {len(places)} worker{several}, {definition.root}")
        code = _Crew(slots, typed, places).attend()
    else:
        code = 0
    now = status.snapshot(slots)
    say(status.line(now))
    for found in now["best"]:
        say(f"  best: {status.best_line(found)}")
    for failure in now["failures"]:
        say(f"  failed: trial {failure['trial']}: {failure['reason']}")
    if now["ended"] >= now["trials"]:
        return 0  # a worker may have failed; the others did its work
    if code == 0:
        say("  time is up; the same command continues")
    return code


class _Crew:
    """The workers of `forger sweep run`, one for each set of devices."""

    def __init__(self, slots: Slots, typed: list[str], places: list[dict[str, str]]) -> None:
        self.slots = slots
        self.command = [sys.executable, "-m", "forger", "sweep", "worker", *typed]
        self.places = places
        self.signal = 0
        self.replaced = 0
        self.workers = [self._worker(place) for place in places]

    def _worker(self, place: dict[str, str]) -> subprocess.Popen[bytes]:
        log = self.slots.definition.root / "workers.txt"
        environment = {**os.environ, **place, FOLLOW: str(os.getpid())}
        with log.open("ab") as file:
            return subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, process_group=0
            )

    def attend(self) -> int:
        """Wait for the workers to end, replace those that were killed; the worst exit code."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        former = {each: signal.signal(each, self._forward) for each in numbers}
        try:
            if console.is_terminal:
                with Live(console=console, refresh_per_second=4) as live:
                    return self._attend(lambda: live.update(status.table(status.snapshot(self.slots))))
            return self._attend(self._say_progress)
        finally:
            for each, handler in former.items():
                signal.signal(each, handler)

    def _attend(self, show: object) -> int:
        self._said = -1
        while any(worker.poll() is None for worker in self.workers):
            show()  # type: ignore[operator]
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and any(worker.poll() is None for worker in self.workers):
                time.sleep(0.05)
            for index, worker in enumerate(self.workers):
                killed = (worker.poll() or 0) < 0
                if killed and not self.signal and self.replaced < _REPLACEMENTS:
                    self.replaced += 1
                    say(f"a worker was killed by signal {-worker.returncode}; another takes its place")
                    self.workers[index] = self._worker(self.places[index])
        show()  # type: ignore[operator]
        if self.signal:
            return 128 + self.signal
        return max(1 if worker.returncode else 0 for worker in self.workers)

    def _say_progress(self) -> None:
        ended = self.slots.ended()
        if ended not in (self._said, self.slots.definition.trials):
            self._said = ended
            say(status.line(status.snapshot(self.slots)))

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)


def _parsed(arguments: list[str]) -> tuple[str, str, list[str], dict[str, str]]:
    """Action, sweep, overrides and options."""
    if not arguments or arguments[0] not in _ACTIONS:
        told = arguments[0] if arguments else ""
        raise ConfigError(f"sweep {told}: no such action; {closest(told, _ACTIONS)}".replace("sweep :", "sweep:"))
    action, *queue = arguments
    options: dict[str, str] = {}
    rest: list[str] = []
    takes = {"run": {"workers"}, "export-wandb": {"out"}}.get(action, set()) | {"config-dir"}
    flags = {"json"} if action == "status" else set()
    while queue:
        argument = queue.pop(0)
        if not argument.startswith("-"):
            rest.append(argument)
            continue
        key, has_value, value = argument.lstrip("-").partition("=")
        key = {"w": "workers", "cd": "config-dir", "o": "out"}.get(key, key)
        if key in flags:
            options[key] = ""
        elif key in takes:
            if not has_value and not queue:
                raise ConfigError(f"sweep {action} {argument}: needs a value")
            options[key] = value if has_value else queue.pop(0)
        else:
            raise ConfigError(f"sweep {action} {argument}: no such option; {closest(key, takes | flags)}")
    if not rest or "=" in rest[0]:
        raise ConfigError(f"sweep {action}: which one? forger sweep {action} SWEEP (a config of conf/sweep, or a file)")
    return action, rest[0], rest[1:], options
