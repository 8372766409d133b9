"""`forger sweep run|worker|status|export-wandb SWEEP`."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial

from forger.commands.options import number
from forger.console import say, show_lines
from forger.errors import ConfigError, closest
from forger.sweeps import status
from forger.sweeps.concealing import concealed, revealed
from forger.sweeps.crew import Crew, Worker, local_worker
from forger.sweeps.definition import Definition, load
from forger.sweeps.devices import devices_of_workers
from forger.sweeps.processes import adopt_orphans
from forger.sweeps.storage import check_there, diagnosed
from forger.sweeps.study import Slots
from forger.sweeps.worker import work

_ACTIONS = ("run", "worker", "status", "export-wandb")


def sweep(arguments: Sequence[str]) -> int:
    """The command; its exit code."""
    worker = arguments[:1] == ["worker"]
    given = ["worker", *revealed(arguments[1:])] if worker else list(arguments)
    action, name, overrides, folders, options = _parsed(given)
    show_lines()
    if action == "export-wandb":
        from forger.sweeps.wandb_export import export

        return export(load(name, overrides, folders), options.get("out"))
    definition = load(name, overrides, folders)
    with diagnosed(definition):
        if action == "status":
            status.show(Slots(definition, create=False, only_look=True), as_json="json" in options)
            return 0
        return _performed(action, definition, [name, *overrides], options)


def _performed(action: str, definition: Definition, typed: list[str], options: dict[str, str]) -> int:
    """Begin the sweep or take it up, as a worker or with workers; the exit code."""
    slots = _begun(definition)
    # The storage may be elsewhere.
    definition.root.mkdir(parents=True, exist_ok=True)
    typed += definition.config_flags
    adopt_orphans()
    if action == "worker":
        return work(definition)
    typed, hidden = concealed(typed)
    workers = number(options, "workers", int, 1) if "workers" in options else definition.launcher.workers
    if definition.launcher.kind == "slurm":
        from forger.sweeps.launching import submit

        os.environ.update(hidden)  # Slurm hands the environment on to the jobs
        return submit(definition, typed, workers or 1)
    return _run(slots, typed, hidden, workers)


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


def _run(slots: Slots, typed: list[str], hidden: dict[str, str], wanted: int | None) -> int:
    """Workers that this command looks after, a table of what they do, and the exit code."""
    definition, code = slots.definition, 0
    if definition.trials < (definition.sweep.trials or 0):
        say(f"sweep {definition.name}: the space has {definition.trials} candidates, and none is tried twice")
    open_trials = definition.trials - slots.ended()
    if open_trials:
        with ExitStack() as stack:
            starts = _starts(slots, typed, hidden, wanted, stack)[:open_trials]
            several = "" if len(starts) == 1 else "s"
            where = "on the Ray cluster, " if definition.launcher.kind == "ray" else ""
            say(
                f"sweep {definition.name}: {open_trials} trials to go, {len(starts)} worker{several}, "
                f"{where}{definition.root}"
            )
            code = Crew(slots, starts).attend()
    if code == 1:
        check_there(definition)
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
    if code == 1:
        say(f"  a worker ended before its time; {definition.root / 'workers.txt'} says why")
    return code


def _starts(
    slots: Slots, typed: list[str], hidden: dict[str, str], wanted: int | None, stack: ExitStack
) -> list[Callable[[], Worker]]:
    """What starts each worker."""
    definition = slots.definition
    if definition.launcher.kind == "ray":
        from forger.sweeps.on_ray import Cluster, RayWorker

        cluster = stack.enter_context(closing(Cluster(definition)))
        return [partial(RayWorker, cluster, typed, hidden)] * cluster.places(wanted)
    places = devices_of_workers(definition, wanted)
    return [partial(local_worker, slots, typed, {**hidden, **place}) for place in places]


def _parsed(arguments: list[str]) -> tuple[str, str, list[str], list[str], dict[str, str]]:
    """Action, sweep, overrides, folders of configs and options."""
    if not arguments or arguments[0] not in _ACTIONS:
        told = arguments[0] if arguments else ""
        raise ConfigError(f"sweep {told}: no such action; {closest(told, _ACTIONS)}".replace("sweep :", "sweep:"))
    action, *queue = arguments
    options: dict[str, str] = {}
    folders: list[str] = []
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
            value = value if has_value else queue.pop(0)
            if key == "config-dir":
                folders.append(value)
            else:
                options[key] = value
        else:
            raise ConfigError(f"sweep {action} {argument}: no such option; {closest(key, takes | flags)}")
    if not rest or "=" in rest[0]:
        raise ConfigError(f"sweep {action}: which one? forger sweep {action} SWEEP (a config of conf/sweep, or a file)")
    return action, rest[0], rest[1:], folders, options
