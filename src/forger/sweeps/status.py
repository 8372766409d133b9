"""The state of a sweep: a table for people, JSON for programs."""

import json
import time
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forger.standard_streams import printable
from forger.sweeps import seeds
from forger.sweeps.definition import Definition
from forger.sweeps.study import TrialQueue, slot


def snapshot(queue: TrialQueue) -> dict[str, Any]:
    """Numbers of a sweep at this moment, as `forger sweep status --json` prints them."""
    definition = queue.definition
    rows = [row for row in queue.trials() if slot(row) < definition.trials]
    ended = [row for row in rows if row.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    status = [row.user_attrs.get("status") for row in ended]
    running = [row for row in rows if row.state == TrialState.RUNNING]
    failed = [row for row in rows if row.user_attrs.get("status") == "failed"]
    bad = sum(s in ("diverged", "stopped") for s in status)
    return {
        "sweep": definition.name,
        "folder": str(definition.root),
        "objective": definition.objective,
        "trials": definition.trials,
        "ended": len(ended),
        "finished": status.count("finished"),
        "pruned": status.count("pruned") + status.count("outrun"),
        "diverged": bad,
        "failed": len(failed),
        "running": len(running),
        "best": [_trial_summary(row, definition) for row in best(queue)],
        "seconds_left": _seconds_left(definition, ended, len(running)),
        "workers": [_at_work(row) for row in running],
        "failures": [{"trial": row.number, "reason": row.user_attrs.get("reason", "")} for row in failed],
    }


def best(queue: TrialQueue) -> list[FrozenTrial]:
    """The best trial; with several objectives those that none other beats in all of them."""
    finished = [r for r in queue.trials() if r.user_attrs.get("status") == "finished"]
    finished = [r for r in finished if r.state == TrialState.COMPLETE]
    signs = [1 if direction == "minimize" else -1 for direction in queue.definition.objective.values()]
    costs = {r.number: [s * v for s, v in zip(signs, r.values, strict=True)] for r in finished}
    if len(signs) == 1:
        return sorted(finished, key=lambda r: costs[r.number])[:1]
    return [r for r in finished if not any(_dominates(costs[o.number], costs[r.number]) for o in finished)]


def _dominates(a: list[float], b: list[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def _trial_summary(row: FrozenTrial, definition: Definition) -> dict[str, Any]:
    by_seed = list(row.user_attrs.get("seeds", {}).values())
    spreads = [seeds.mean_and_spread(values)[1] for values in zip(*by_seed, strict=True)]
    return {
        "trial": row.number,
        "values": dict(zip(definition.objective, row.values or [], strict=False)),
        "spreads": dict(zip(definition.objective, spreads, strict=False)),
        "seeds": len(by_seed),
        "parameters": row.params,
        "folder": str(definition.root / str(row.user_attrs["folder"])),
    }


def _at_work(row: FrozenTrial) -> dict[str, Any]:
    worker = row.user_attrs.get("worker", {})
    return {
        "trial": row.number,
        "host": worker.get("host"),
        "pid": worker.get("pid"),
        "seconds": round(time.time() - worker.get("since", time.time())),
        **row.user_attrs.get("progress", {}),
        "parameters": row.params,
    }


def _seconds_left(definition: Definition, ended: list[FrozenTrial], running: int) -> float | None:
    durations = [row.duration.total_seconds() for row in ended if row.duration is not None]
    if not durations or not running:
        return None
    return round((definition.trials - len(ended)) * sum(durations) / len(durations) / running, 1)


# For people -----------------------------------------------------------------------------------------------------


def line(now: dict[str, Any]) -> str:
    """The sweep in one line."""
    counts = [f"{now[kind]} {kind}" for kind in ("finished", "pruned", "diverged", "failed", "running") if now[kind]]
    left = now["seconds_left"]
    when = f", about {_duration(left)} left" if left and now["ended"] < now["trials"] else ""
    return f"sweep {now['sweep']}: {now['ended']} of {now['trials']} trials ended ({', '.join(counts) or 'none'}){when}"


def table(now: dict[str, Any]) -> Group:
    """The sweep as one table: workers, then the best so far."""
    workers = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("worker", "trial", "seed", "images", "time", "parameters"):
        workers.add_column(title, no_wrap=title != "parameters")
    for worker in now["workers"]:
        name = f"{worker['host']}:{worker['pid']}"
        images = f"{worker.get('images', 0):,}"
        cells = (name, worker["trial"], worker.get("seed", 0), images, _duration(worker["seconds"]))
        workers.add_row(*(Text(str(cell)) for cell in cells), Text(_parameters(worker["parameters"])))
    lines = [Text(line(now), style="bold")]
    lines += [Text(f"  best: {best_line(found)}") for found in now["best"][:5]]
    return Group(*lines, workers) if now["workers"] else Group(*lines)


def best_line(found: dict[str, Any]) -> str:
    """A good trial in one line."""
    spreads = found["spreads"]
    values = ", ".join(
        f"{name} {value:.4g}" + (f" ± {spreads[name]:.2g}" if spreads.get(name) is not None else "")
        for name, value in found["values"].items()
    )
    of = f" ({found['seeds']} seeds)" if found["seeds"] > 1 else ""
    return f"trial {found['trial']}: {values}{of}; {_parameters(found['parameters'])}; {found['folder']}"


def show(queue: TrialQueue, *, as_json: bool) -> None:
    """Print the sweep."""
    from rich.console import Console

    now = snapshot(queue)
    if as_json:
        print(json.dumps(now, indent=2))
        return
    console = Console(soft_wrap=True)
    console.print(table(now))
    for failure in now["failures"]:
        line = printable(f"  failed: trial {failure['trial']}: {failure['reason']}")
        console.print(line, markup=False, highlight=False)


def _parameters(parameters: dict[str, Any]) -> str:
    texts = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in parameters.values())
    return ", ".join(f"{key}={text}" for key, text in zip(_shortened(list(parameters)), texts, strict=True))


def _shortened(keys: list[str]) -> list[str]:
    """The last parts of dotted keys, at least two where there are two, as many as tell them apart."""
    for parts in range(2, 20):
        short = [".".join(key.split(".")[-parts:]) for key in keys]
        if len(set(short)) == len(keys):
            return short
    return keys


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
