"""Reads run folders for the report: what can be read of each, and why the rest can't be."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from forger.errors import ConfigError
from forger.files import read_rows
from forger.lifecycle.identity import determining
from forger.lifecycle.listing import Entry, list_runs
from forger.lifecycle.stored_config import stored_config
from forger.records import Record

#: Rows are read once a file's size or time changes: `--serve` looks at the same folders again and again.
_series_of_file: dict[Path, tuple[tuple[int, int], "Series"]] = {}
#: Keys that only observe or place a run: two runs that differ in nothing else are of one variant.
_OBSERVING = {"seed", "metrics", "samples", "log", "checkpoint"}
_PREFIXES = ("score/", "train/", "watch/", "schedule/")
#: Alarms a page shows of one run.
_MOST_ALARMS = 50
#: Beyond it the square of a number overflows, and with it its mean and spread: as good as infinite.
_LARGEST = 1e100
_MOST_IMAGES = 2**53


@dataclass(frozen=True)
class Series:
    """The curves of a run: by key, images and values (NaN where the run wrote null); and its clock in seconds."""

    curves: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    clock: tuple[np.ndarray, np.ndarray] = field(default_factory=lambda: (np.empty(0), np.empty(0)))


@dataclass(frozen=True, eq=False)
class Run:
    """A run with a readable record; config, rows and alarms may each be missing."""

    path: Path
    status: str
    record: Record
    config: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def family(self) -> str:
        """The name, of a sweep's trial that of the sweep: trials of equal settings are one variant."""
        return re.sub(r"/\d+$", "", self.name)

    @property
    def seed(self) -> int:
        return self.record.seed

    @cached_property
    def written(self) -> float:
        """When the record was last written."""
        return (self.path / "record.json").stat().st_mtime

    @cached_property
    def series(self) -> Series:
        return _series(self.path / "metrics.jsonl")

    @cached_property
    def alarms(self) -> list[dict[str, Any]]:
        """What the watch saw, from ``alerts.jsonl``, else from the record."""
        rows = read_rows(self.path / "alerts.jsonl") or self.record.alerts
        return [row for row in rows if isinstance(row, dict)][:_MOST_ALARMS]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The part of the config that makes a variant: less the seed, what observes, and what places."""
        return determining({key: value for key, value in self.config.items() if key not in _OBSERVING})

    @cached_property
    def determined_by(self) -> str:
        """What sets the run apart from others but for its seed, as text: equal for runs of one variant."""
        document = [self.family, self.settings, self.record.data.get("fingerprint")]
        return json.dumps(document, sort_keys=True, default=str)

    @property
    def ended(self) -> bool:
        """Whether the run ended by itself; `interrupted` and `pruned` runs were stopped from outside."""
        return self.status in ("finished", "stopped", "diverged", "failed", "killed")

    @property
    def healthy(self) -> bool:
        """Finished without an alarm."""
        return self.status == "finished" and not self.alarms

    def value(self, score: str, moment: str = "final") -> float | None:
        """A score of the record: ``final`` on the test split, or ``best`` on validation."""
        value = self.record.scores[moment].get(score, {}).get("value")
        return float(value) if _within(value, _LARGEST) else None


@dataclass(frozen=True)
class Collection:
    """All that lies in the folders: runs, and the folders that are none, with the reason."""

    runs: list[Run]
    problems: list[Entry]


def read(folders: Iterable[str | Path]) -> Collection:
    """Everything in some folders of runs; a run that is named twice counts once.

    Raises:
        ConfigError: a folder is not there, or nothing in them is a run folder or looks like one.
    """
    runs: dict[Path, Run] = {}
    problems: dict[Path, Entry] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise ConfigError(f"report {folder}: no such folder; `forger runs` lists what there is")
        for entry in list_runs(folder):
            key = entry.path.resolve()
            if entry.record is None:
                problems[key] = entry
                continue
            try:
                runs[key] = _run(entry.path, entry.status, entry.record)
            except ValueError as error:
                problems[key] = Entry(entry.path, None, f"config.yaml: {error}", entry.alive)
    if not runs and not problems:
        raise ConfigError(f"report {' '.join(map(str, folders))}: no runs in there; `forger train` makes one")
    return Collection(list(runs.values()), list(problems.values()))


def _run(path: Path, status: str, record: Record) -> Run:
    lost = record.lost_rows
    notes = [f"{lost:,} rows of metrics.jsonl were lost when the run was interrupted"] if lost else []
    try:
        config = stored_config(path / "config.yaml")
    except FileNotFoundError:
        config = {}
        notes.append("config.yaml is missing")
    return Run(path, status, record, config, tuple(notes))


def _series(path: Path) -> Series:
    try:
        stat = path.stat()
    except OSError:
        return Series()
    state = (stat.st_mtime_ns, stat.st_size)
    if path not in _series_of_file or _series_of_file[path][0] != state:
        _series_of_file[path] = (state, _columns(read_rows(path)))
    return _series_of_file[path][1]


def _columns(rows: Iterable[Mapping[str, Any]]) -> Series:
    columns: dict[str, tuple[list[float], list[float]]] = {}
    others: set[str] = set()
    images_at: list[float] = []
    seconds_at: list[float] = []
    for row in rows:
        images = row.get("images")
        if not _within(images, _MOST_IMAGES):
            continue
        if _within(seconds := row.get("seconds"), _LARGEST):
            images_at.append(images)
            seconds_at.append(seconds)
        for key, value in row.items():
            if key in others:
                continue
            if key not in columns:
                if not key.startswith(_PREFIXES):
                    others.add(key)
                    continue
                columns[key] = ([], [])
            if value is None or isinstance(value, int | float):
                xs, ys = columns[key]
                xs.append(images)
                ys.append(value if _within(value, _LARGEST) else np.nan)
    curves = {key: (np.asarray(xs, float), np.asarray(ys, float)) for key, (xs, ys) in columns.items()}
    return Series(curves, (np.asarray(images_at, float), np.asarray(seconds_at, float)))


def _within(value: Any, largest: float) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= largest
