"""The runs in a folder, broken and foreign ones included."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forger.files import check_plain
from forger.lifecycle.identity import run_id
from forger.records import BrokenRecord, Record
from forger.run_folder import RunFolder

#: Runs lie at most this deep below a folder of runs: sweep, name, id.
_DEPTH = 3


@dataclass(frozen=True)
class Entry:
    """A run in a listing: with its record, or with the reason why there is none."""

    path: Path
    record: Record | None
    problem: str | None
    alive: bool

    @property
    def status(self) -> str:
        """The record's status; ``killed`` for a run that says it is running, and is not."""
        if self.record is None:
            return "broken"
        return "killed" if self.record.status == "running" and not self.alive else self.record.status


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
        record = run.read()
        for file in (run.config_file, run.metrics_file, run.alerts_file):
            with suppress(FileNotFoundError):
                check_plain(file, file.stat())
        return Entry(folder, record, None, run.locked)
    except BrokenRecord as error:
        return Entry(folder, None, str(error).removeprefix(f"{folder}: "), False)
    except OSError as error:
        return Entry(folder, None, f"{error.filename}: {error.strerror}", False)


def unfinished_under_other_version(
    root: str | Path, name: str, config: Mapping[str, Any], package_version: str
) -> list[Entry]:
    """Unfinished runs of the same config, begun under another version of the package."""
    found = []
    folder = Path(root) / name
    for entry in list_runs(folder) if folder.is_dir() else []:
        record = entry.record
        if record is None or record.status == "finished":
            continue
        version, fingerprint = record.versions.get("forger"), record.data.get("fingerprint")
        if version != package_version and record.id == run_id(config, str(version), str(fingerprint)):
            found.append(entry)
    return found


def how_to_continue(entry: Entry) -> str:
    """One line that names an unfinished run and the command that continues it."""
    assert entry.record is not None
    record = entry.record
    version = record.versions.get("forger")
    return (
        f"{entry.path}: {entry.status} at {record.images:,} images under forger {version}; "
        f"to continue it: pip install 'forger=={version}' && {record.command}"
    )
