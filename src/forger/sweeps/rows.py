"""The rows of a run as it writes them, read from outside."""

import json
from collections.abc import Callable
from typing import Any

from forger.files import read_rows
from forger.run_folder import RunFolder


class Rows:
    """The rows that a run has added to its `metrics.jsonl` since they were last asked for."""

    def __init__(self, folder: Callable[[], RunFolder | None]) -> None:
        self._folder = folder
        self._found: RunFolder | None = None
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        """Whole new rows. A file that was cut back, since the run continued, is read from its beginning."""
        self._found = self._found or self._folder()
        if self._found is None or not self._found.metrics_file.exists():
            return []
        size = self._found.metrics_file.stat().st_size
        if size < self._read:
            self._read = 0
        if size == self._read:
            return []
        with self._found.metrics_file.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        rows = []
        for line in whole.splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return [row for row in rows if isinstance(row, dict)]


def last_value(folder: RunFolder, name: str) -> float | None:
    """The last value of a score on validation; None if there is none, or it is no number."""
    values = [row[name] for row in read_rows(folder.metrics_file) if name in row]
    return values[-1] if values else None
