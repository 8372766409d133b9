"""What `forger sweep` does with a sweep."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from forger.console import say, show_lines
from forger.errors import ConfigError
from forger.sweeps import status
from forger.sweeps.concealing import concealed
from forger.sweeps.definition import Definition, load
from forger.sweeps.devices import devices_of_workers
from forger.sweeps.processes import adopt_orphans
from forger.sweeps.storage import check_there, diagnosed
from forger.sweeps.study import TrialQueue
from forger.sweeps.worker import work
from forger.sweeps.worker_pool import Worker, WorkerPool, local_worker


def sweep(action: str, name: str, overrides: Sequence[str], options: Mapping[str, Any]) -> int:
    """Run a sweep, work at it, tell its state or export it; the exit code.

    Args:
        action: ``run``, ``worker``, ``status`` or ``export-wandb``.
        name: of a config in the group `sweep`, or a YAML file.
        overrides: of the sweep and of its runs.
        options: those of the command that were given.

    Raises:
        ConfigError: the first fault.
    """
    show_lines()
    definition = load(name, overrides, options.get("config-dir", ()))
    if action == "export-wandb":
        from forger.sweeps.wandb_export import export

        return export(definition, options.get("out"))
    with diagnosed(definition):
        if action == "status":
            status.show(TrialQueue(definition, create=False, only_look=True), as_json="json" in options)
            return 0
        return _performed(action, definition, [name, *overrides], options)


def _performed(action: str, definition: Definition, typed: list[str], options: Mapping[str, Any]) -> int:
    """Begin the sweep or take it up, as a worker or with workers; the exit code."""
    queue = _begun(definition)
    # The storage may be elsewhere.
    definition.root.mkdir(parents=True, exist_ok=True)
    typed += definition.config_flags
    adopt_orphans()
    if action == "worker":
        return work(definition)
    typed, hidden = concealed(typed)
    workers = options.get("workers", definition.launcher.workers)
    if definition.launcher.kind == "slurm":
        from forger.sweeps.launching import submit

        os.environ.update(hidden)  # Slurm hands the environment on to the jobs
        return submit(definition, typed, workers or 1)
    return _run(queue, typed, hidden, workers)


def _begun(definition: Definition) -> TrialQueue:
    """The study, whose definition has been checked if it is new."""
    try:
        queue = TrialQueue(definition, create=False)
        if queue.study.user_attrs.get("checked"):
            return queue
    except ConfigError as error:
        if "not begun yet" not in str(error):
            raise
    from forger.sweeps.checking import check

    check(definition)
    queue = TrialQueue(definition)
    queue.study.set_user_attr("checked", True)
    queue.fill()
    return queue


def _run(queue: TrialQueue, typed: list[str], hidden: dict[str, str], wanted: int | None) -> int:
    """Workers that this command looks after, a table of what they do, and the exit code."""
    definition, code = queue.definition, 0
    if definition.trials < (definition.sweep.trials or 0):
        say(f"sweep {definition.name}: the space has {definition.trials} candidates, and none is tried twice")
    open_trials = definition.trials - queue.ended()
    if open_trials:
        with ExitStack() as stack:
            starts = _starts(queue, typed, hidden, wanted, stack)[:open_trials]
            several = "" if len(starts) == 1 else "s"
            where = "on the Ray cluster, " if definition.launcher.kind == "ray" else ""
            say(
                f"sweep {definition.name}: {open_trials} trials to go, {len(starts)} worker{several}, "
                f"{where}{definition.root}"
            )
            code = WorkerPool(queue, starts).supervise()
    if code == 1:
        check_there(definition)
    now = status.snapshot(queue)
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
    queue: TrialQueue, typed: list[str], hidden: dict[str, str], wanted: int | None, stack: ExitStack
) -> list[Callable[[], Worker]]:
    """What starts each worker."""
    definition = queue.definition
    if definition.launcher.kind == "ray":
        from forger.sweeps.on_ray import Cluster, RayWorker

        cluster = stack.enter_context(closing(Cluster(definition)))
        return [partial(RayWorker, cluster, typed, hidden)] * cluster.places(wanted)
    places = devices_of_workers(definition, wanted)
    return [partial(local_worker, queue, typed, {**hidden, **place}) for place in places]
