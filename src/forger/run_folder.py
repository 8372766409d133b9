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
from dataclasses import replace
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
from forger.records import BrokenRecord, Record, record_problem
from forger.redaction import redacted

#: Columns of ``metrics.jsonl`` that tell the time: all others are the same in a run that is repeated.
WALL_CLOCK = ("seconds",)
#: Files and folders that only a run makes in its folder.
_MADE = (
    "config.yaml", "record.json", "metrics.jsonl", "alerts.jsonl", "log.txt", "checkpoints", "samples", "wandb", "csv",
    "tensorboard", "profile", "export",
)  # fmt: skip
_UNFINISHED = re.compile(r"\..+\.\d+|\.next\.ckpt|\.previous")
#: W&B's client links its own log into each of its folders, which are new each time.
_OF_WANDB = re.compile(r"wandb/[^/]+/logs/debug-core\.log")
#: Largest record in bytes; forger writes smaller ones.
_MOST_BYTES = 64 << 20


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

    def create(self, record: Record) -> None:
        """Begin the run: empty folders and its first record."""
        for folder in (self.path, self.checkpoints, self.samples):
            folder.mkdir(parents=True, exist_ok=True)
        self._write(record)

    def read(self) -> Record:
        """The record.

        Raises:
            BrokenRecord: there is none, it can't be read, or it is no record of this schema.
        """
        try:
            return Record.parsed(parsed_json(content_of(self.record_file, _MOST_BYTES)))
        except FileNotFoundError:
            raise BrokenRecord(f"{self.path}: no record.json; this is no run folder") from None
        except BrokenRecord as error:
            raise BrokenRecord(f"{self.record_file}: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BrokenRecord(f"{self.record_file}: not readable ({reason})") from None

    def update(self, **fields: Any) -> Record:
        """Change fields of the record, which is returned. A finished run changes only by starting over."""
        former = self.read()
        status = fields.get("status", former.status)
        assert former.status != "finished" or status == "finished", f"{self.path} is finished, not {status}"
        return self._write(replace(former, **fields))

    def _write(self, record: Record) -> Record:
        document = redacted(finite(record.document()))
        problem = record_problem(document)
        assert problem is None, problem
        write_atomically(self.record_file, json.dumps(document, indent=2, allow_nan=False) + "\n")
        return replace(record, **document)

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
