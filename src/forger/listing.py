"""The runs in a folder, broken and foreign ones included."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forger.errors import ConfigError
from forger.identity import run_id
from forger.records import BrokenRecord, RunFolder

#: Runs lie at most this deep below a folder of runs: sweep, name, id.
_DEPTH = 3


@dataclass(frozen=True)
class Entry:
    """A run as a listing shows it: with its record, or with the reason why there is none."""

    path: Path
    record: dict[str, Any] | None
    problem: str | None
    alive: bool

    @property
    def status(self) -> str:
        """The record's status; ``killed`` for a run that says it is running, and is not."""
        if self.record is None:
            return "broken"
        return "killed" if self.record["status"] == "running" and not self.alive else self.record["status"]


def list_runs(folder: str | Path) -> list[Entry]:
    """Every run in a folder of runs (or the run that it is), by path.

    A broken or foreign folder becomes an entry that says so.
    """
    return list(_walk(Path(folder), 0))


def _walk(folder: Path, depth: int) -> Iterator[Entry]:
    if _looks_like_run(folder):
        yield _entry(folder)
        return
    try:
        inside = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        yield Entry(folder, None, error.strerror or str(error), False)
        return
    folders = [entry for entry in inside if entry.is_dir()]
    multirun = (folder / "multirun.yaml").exists()
    if depth and inside and not multirun and (not folders or depth == _DEPTH):
        yield Entry(folder, None, "no record.json: not a run folder", False)
    elif depth < _DEPTH:
        for subfolder in folders:
            yield from _walk(subfolder, depth + 1)


def _looks_like_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("record.json", "config.yaml", "metrics.jsonl", "checkpoints"))


def _entry(folder: Path) -> Entry:
    run = RunFolder(folder)
    try:
        return Entry(folder, run.read(), None, run.locked)
    except BrokenRecord as error:
        return Entry(folder, None, str(error).removeprefix(f"{folder}: "), False)


def unfinished_under_other_version(
    root: str | Path, name: str, config: Mapping[str, Any], package_version: str
) -> list[Entry]:
    """Unfinished runs of the same config, begun under another version of the package."""
    found = []
    folder = Path(root) / name
    for entry in list_runs(folder) if folder.is_dir() else []:
        record = entry.record
        if record is None or record["status"] == "finished":
            continue
        version, fingerprint = record["versions"].get("forger"), record["data"].get("fingerprint")
        if version != package_version and record["id"] == run_id(config, str(version), str(fingerprint)):
            found.append(entry)
    return found


def how_to_continue(entry: Entry) -> str:
    """One line that names an unfinished run and the command that continues it."""
    assert entry.record is not None
    record = entry.record
    version = record["versions"].get("forger")
    return (
        f"{entry.path}: {entry.status} at {record['images']:,} images under forger {version}; "
        f"to continue it: pip install 'forger=={version}' && {record['command']}"
    )


def show_runs(folder: str | None, *, as_json: bool) -> int:
    """Print the runs of a folder (default ``runs``) as a table or as JSON."""
    if folder is not None and not Path(folder).is_dir():
        raise ConfigError(f"{folder}: no such folder")
    entries = list_runs(folder or "runs") if folder or Path("runs").is_dir() else []
    if as_json:
        rows = [
            {
                "path": str(e.path),
                "status": e.status,
                "alive": e.alive,
                "problem": e.problem,
                "record": e.record,
            }
            for e in entries
        ]
        print(json.dumps(rows, indent=2))
    elif not entries:
        print(f"no runs in {folder or 'runs'}; `forger train` makes one")
    else:
        _print_table(entries)
    return 0


def _print_table(entries: list[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "id", "status", "seed", "images", "score", "minutes", "device"):
        right = title in ("seed", "images", "minutes")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "score")
    for entry in entries:
        # Text, since a name could hold Rich's own markup.
        table.add_row(*(Text(cell, style=_STYLES.get(entry.status, "")) for cell in _cells(entry)))
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has room
    console.print(table)


_STYLES = {"finished": "green", "running": "bold", "broken": "dim red", "diverged": "red", "failed": "red"}


def _cells(entry: Entry) -> list[str]:
    record = entry.record
    if record is None:
        return [entry.path.parent.name, entry.path.name, "broken", "", "", str(entry.problem), "", ""]
    scores = record["scores"]["final"] or record["scores"]["best"]
    told = [f"{name} {_number(score['value'])}" for name, score in scores.items()]
    device = record["device"]
    several = f" x{device['devices']}" if device.get("devices", 1) != 1 else ""
    return [
        record["name"],
        record["id"],
        entry.status,
        str(record["seed"]),
        f"{record['images']:,}",
        ", ".join(told),
        f"{record['seconds'] / 60:.1f}",
        f"{device.get('accelerator', '')}{several}",
    ]


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.4g}"
