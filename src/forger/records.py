"""The run folder: a run's record, its rows, and one writer at a time."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from forger.errors import ConfigError, RunLocked
from forger.files import (
    append_row,
    as_line,
    content_of,
    finite,
    links_out,
    parsed_json,
    rows_with_bytes,
    write_atomically,
)
from forger.locking import take_lock
from forger.redaction import redacted

#: Version of `record.json`; its JSON schema is `record.schema.json` beside this file.
SCHEMA = 1

#: Fields of a record in their order, with what a reader may rely on.
FIELDS: dict[str, type | tuple[type, ...]] = {
    "schema": int,
    "name": str,
    "id": str,
    "command": str,
    "overrides": list,
    "status": str,
    "seed": int,
    "images": int,
    "iterations": int,
    "seconds": (int, float),
    "device": dict,
    "versions": dict,
    "git": (dict, type(None)),
    "data": dict,
    "scores": dict,
    "weights_sha256": (str, type(None)),
    "alerts": list,
    "parent": (dict, type(None)),
}
#: Optional fields of a record.
OPTIONAL: dict[str, type | tuple[type, ...]] = {"lost_rows": int}
#: Columns of ``metrics.jsonl`` that tell the time: all others are the same in a run that is repeated.
WALL_CLOCK = ("seconds",)
#: Files and folders that only a run makes in its folder.
_MADE = (
    "config.yaml", "record.json", "metrics.jsonl", "alerts.jsonl", "log.txt", "checkpoints", "samples", "wandb", "csv",
    "tensorboard", "profile",
)  # fmt: skip
_UNFINISHED = re.compile(r"\..+\.\d+|\.next\.ckpt|\.previous")
#: W&B's client links its own log into each of its folders, which are new each time.
_OF_WANDB = re.compile(r"wandb/[^/]+/logs/debug-core\.log")
#: Largest record in bytes; forger writes smaller ones.
_MOST_BYTES = 64 << 20
STATUSES = ("running", "finished", "interrupted", "pruned", "stopped", "diverged", "failed")


_NUMBER = (int, float, type(None))
_OF_A_SCORE: dict[str, tuple[type, ...]] = {
    "value": _NUMBER,
    "error": _NUMBER,
    "gap": _NUMBER,
    "last": _NUMBER,
    "images": (int,),
    "passport": (dict,),
    "higher_is_better": (bool,),
    "chosen": (bool,),
}


class BrokenRecord(ValueError):
    """A folder without a readable record."""


class RunFolder:
    """One run's folder, ``root/name/id``.

    Nothing is written before `lock` or `create`; only the process that holds the lock may write.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.record_file = self.path / "record.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.alerts_file = self.path / "alerts.jsonl"
        self.log_file = self.path / "log.txt"
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self._lock_file = self.path / ".lock"
        #: Rows of metrics written so far, those before an interruption and those lost since included.
        self.metrics_rows = 0
        #: By which the last of them is found again: digits of the SHA-256 of its line; "" before the first.
        self.last_row = ""

    @classmethod
    def of(cls, root: str | Path, name: str, identity: str) -> "RunFolder":
        """The folder of a run by its identity; it need not exist."""
        return cls(Path(root) / name / identity)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    # One writer at a time

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; temporary files of an earlier process are removed.

        Raises:
            RunLocked: another process holds it; the message names that process and its machine.
            ConfigError: a link leads out of the folder.
            OSError: the folder can't be made or written.
        """
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        self.refuse_links_out()
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
            self._remove_leftovers()
            yield
            os.ftruncate(descriptor, 0)
        except BaseException:
            self._withdraw(missing)
            raise
        finally:
            os.close(descriptor)

    def _withdraw(self, made: Sequence[Path]) -> None:
        """Remove the folders that `lock` made for a run that was refused before it had written anything."""
        if made and {entry.name for entry in self.path.iterdir()} <= {self._lock_file.name, self.log_file.name}:
            self._lock_file.unlink(missing_ok=True)
            self.log_file.unlink(missing_ok=True)
            with suppress(OSError):  # another run has begun beside this one
                for folder in made:
                    folder.rmdir()

    def _acquire(self, descriptor: int) -> None:
        for attempt in range(10):
            try:
                return take_lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, self._lock_file)
            except BlockingIOError:
                # `locked` below takes a shared lock for an instant; that is no reason to give up.
                time.sleep(0.05 if attempt else 0.001)
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        raise RunLocked(f"{self.path}: {holder} is at work on this run; wait for it or end it first")

    @property
    def locked(self) -> bool:
        """Whether a process is at work on the run at this moment."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # without locks nobody is at work there
            return False
        finally:
            os.close(descriptor)
        return False

    def _remove_leftovers(self) -> None:
        for folder in (self.path, self.checkpoints, self.samples):
            for file in folder.glob(".*"):
                if _UNFINISHED.fullmatch(file.name) and not file.is_dir():
                    file.unlink()

    def refuse_links_out(self) -> None:
        """Refuse links, through which something outside would be written or removed; a stranger's folder may hold some.

        Raises:
            ConfigError: a link leads out of the folder.
        """
        for link in links_out(self.path, spare=_OF_WANDB):
            place = os.path.realpath(link)
            raise ConfigError(f"{link}: a link out of the run folder, to {place}; nothing is written there: remove it")

    # The record

    def create(
        self,
        *,
        name: str,
        id: str,
        command: str,
        overrides: Sequence[str],
        seed: int,
        device: Mapping[str, Any],
        versions: Mapping[str, str],
        git: Mapping[str, Any] | None,
        data: Mapping[str, Any],
        parent: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Begin the run: empty folders and a record with status ``running``, which is returned."""
        for folder in (self.path, self.checkpoints, self.samples):
            folder.mkdir(parents=True, exist_ok=True)
        record = {
            "schema": SCHEMA,
            "name": name,
            "id": id,
            "command": command,
            "overrides": list(overrides),
            "status": "running",
            "seed": seed,
            "images": 0,
            "iterations": 0,
            "seconds": 0.0,
            "device": dict(device),
            "versions": dict(versions),
            "git": git and dict(git),
            "data": dict(data),
            "scores": {"final": {}, "best": {}},
            "weights_sha256": None,
            "alerts": [],
            "parent": parent and dict(parent),
        }
        self._write(record)
        return record

    def read(self) -> dict[str, Any]:
        """The record.

        Raises:
            BrokenRecord: there is none, it can't be read, or it is no record of this schema.
        """
        try:
            record = parsed_json(content_of(self.record_file, _MOST_BYTES))
        except FileNotFoundError:
            raise BrokenRecord(f"{self.path}: no record.json; this is no run folder") from None
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BrokenRecord(f"{self.record_file}: not readable ({reason})") from None
        if problem := record_problem(record):
            raise BrokenRecord(f"{self.record_file}: {problem}")
        return record

    def update(self, **fields: Any) -> dict[str, Any]:
        """Change fields of the record, which is returned. A finished run changes only by starting over."""
        record, known = self.read(), FIELDS.keys() | OPTIONAL.keys()
        status = fields.get("status", record["status"])
        assert fields.keys() <= known, f"no such fields: {fields.keys() - known}"
        assert record["status"] != "finished" or status == "finished", f"{self.path} is finished, not {status}"
        record |= fields
        self._write(record)
        return record

    def _write(self, record: Mapping[str, Any]) -> None:
        record = redacted(finite(record))
        problem = record_problem(record)
        assert problem is None, problem
        write_atomically(self.record_file, json.dumps(record, indent=2, allow_nan=False) + "\n")

    def clear(self) -> None:
        """Remove all that the run has made, to start over; other files stay."""
        for entry in (self.path / name for name in _MADE):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        self.metrics_rows, self.last_row = 0, ""

    def remove(self) -> None:
        """Remove all that the run has made, and the folder if nothing else is in it."""
        self.clear()
        self._lock_file.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    # Rows

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add a row with ``iterations`` and ``images``; NaN and infinity become null."""
        append_row(self.metrics_file, row)
        self.metrics_rows += 1
        self.last_row = _mark(as_line(row))

    def append_alert(self, row: Mapping[str, Any]) -> None:
        """Add a row with ``iterations`` and what the watch saw."""
        append_row(self.alerts_file, row)

    def log(self, message: str) -> None:
        """Add a line with date and time to ``log.txt``."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")

    def cut_back(
        self,
        iterations: int,
        *,
        metrics: int | None = None,
        last: str | None = None,
        alerts: Sequence[Mapping[str, Any]] | None = None,
    ) -> int:
        """Drop the rows of metrics and alerts after an iteration from which the run goes on; how many were gone.

        Args:
            iterations: the iteration.
            metrics: how many rows of metrics there were at that moment, where that is known: some rows of an
                iteration are written after its state is saved.
            last: the last of them, as `last_row` gave it.
            alerts: what the alerts were at that moment, where that is known.
        """
        rows = [(line, _iteration(row)) for line, row in rows_with_bytes(self.metrics_file)]
        kept = [line for line, iteration in rows if iteration <= iterations][:metrics]
        if last is not None:
            found = [number for number, (line, _) in enumerate(rows, start=1) if _mark(line) == last]
            # Without it, rows of its iteration that came later and will be written again can't be found.
            kept = [line for number, (line, i) in enumerate(rows) if (number < found[-1] if found else i < iterations)]
        self.metrics_rows = len(kept) if metrics is None else metrics
        self.last_row = last or ""
        _rewrite(self.metrics_file, b"".join(kept))
        if alerts is None:
            warned = [line for line, row in rows_with_bytes(self.alerts_file) if _iteration(row) <= iterations]
        else:
            warned = [as_line(row) for row in alerts]
        _rewrite(self.alerts_file, b"".join(warned))
        return max(0, self.metrics_rows - len(kept))


def _mark(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


def _iteration(row: Mapping[str, Any]) -> int:
    iteration = row.get("iterations")
    return iteration if isinstance(iteration, int) else 0


def _rewrite(path: Path, content: bytes) -> None:
    if (path.read_bytes() if path.exists() else b"") != content:
        write_atomically(path, content)


def record_problem(record: Any) -> str | None:
    """What is wrong with a record, in a few words; None if a reader may rely on its fields."""
    if not isinstance(record, dict):
        return "not a JSON object"
    if record.get("schema") != SCHEMA:
        return f"schema {record.get('schema')!r}, but this forger reads {SCHEMA}"
    for field, kind in (FIELDS | OPTIONAL).items():
        if field not in record and field in OPTIONAL:
            continue
        if field not in record:
            return f"field '{field}' is missing"
        if not isinstance(record[field], kind) or isinstance(record[field], bool):
            return f"field '{field}' has the wrong type"
    if record["status"] not in STATUSES:
        return f"no such status: {record['status']!r}"
    if any(record.get(field, 0) < 0 for field in ("seed", "images", "iterations", "seconds", "lost_rows")):
        return "a negative count"
    if not all(isinstance(alert, dict) for alert in record["alerts"]):
        return "field 'alerts' has the wrong type"
    final, best = (record["scores"].get(moment) for moment in ("final", "best"))
    if not all(isinstance(scores, dict) and all(map(_is_score, scores.values())) for scores in (final, best)):
        return "field 'scores' has the wrong type"
    return None


def _is_score(score: Any) -> bool:
    """Whether what is known of a score has its type; all but the value may be missing."""
    if not isinstance(score, dict) or "value" not in score:
        return False
    return all(_of(score.get(key), kinds) for key, kinds in _OF_A_SCORE.items() if key in score)


def _of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
