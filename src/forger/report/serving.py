"""`forger report --serve`: the page on this machine only, made anew whenever a run has written something."""

import gzip
import hashlib
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from forger.errors import ForgerError
from forger.lifecycle.listing import list_runs
from forger.pages.serving import LocalHandler, LocalServer
from forger.report.page import page

#: What a run writes while it goes on.
_WATCHED = ("record.json", "metrics.jsonl", "alerts.jsonl", "samples")


class Server(LocalServer):
    """Serves the report on some folders at ``/`` and what it was made from, as a short text, at ``/version``.

    Args:
        folders: as `page` takes them.
        port: 0 for one that is free.

    Raises:
        ConfigError: the port is taken.
    """

    def __init__(self, folders: Sequence[str | Path], port: int = 0) -> None:
        super().__init__(_Handler, port)
        self.folders = folders
        self._made: tuple[str, bytes] | None = None
        self._making = threading.Lock()

    def version(self) -> str:
        """A text that changes when any run does."""
        digest = hashlib.sha256()
        for path, entry in sorted(self._files()):
            digest.update(f"{path} {entry}\n".encode())
        return digest.hexdigest()[:16]

    def page(self) -> bytes:
        """The page as of now, compressed."""
        with self._making:
            version = self.version()
            if self._made is None or self._made[0] != version:
                self._made = (version, gzip.compress(page(self.folders, live=True).encode(), compresslevel=1))
            return self._made[1]

    def _files(self) -> Iterable[tuple[str, str]]:
        for folder in self.folders:
            for entry in list_runs(folder):
                yield str(entry.path), entry.status
                for name in _WATCHED:
                    try:
                        stat = (entry.path / name).stat()
                    except OSError:
                        continue
                    yield str(entry.path / name), f"{stat.st_mtime_ns} {stat.st_size}"


class _Handler(LocalHandler):
    server: Server

    def do_GET(self) -> None:
        try:
            if self.path == "/":
                return self.answer(self.server.page(), "text/html; charset=utf-8", {"Content-Encoding": "gzip"})
            if self.path == "/version":
                return self.answer(self.server.version().encode(), "text/plain")
        except (ForgerError, OSError) as error:
            # The folder is gone for the moment: the page that is open stays, and asks again.
            return self.answer(str(error).encode(), "text/plain; charset=utf-8", status=503)
        return self.send_error(404)
