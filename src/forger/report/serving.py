"""`forger report --serve`: the page on this machine only, made anew whenever a run has written something."""

import gzip
import hashlib
import logging
import sys
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from forger.errors import ForgerError
from forger.lifecycle.listing import list_runs
from forger.report.page import page

logger = logging.getLogger(__name__)

#: What a run writes while it goes on.
_WATCHED = ("record.json", "metrics.jsonl", "alerts.jsonl", "samples")
_LOCAL_NAMES = ("127.0.0.1", "localhost")


class Server(ThreadingHTTPServer):
    """Serves the report on some folders at ``/`` and what it was made from, as a short text, at ``/version``.

    Listens on the loopback interface only, and answers only to its names: a web site whose name points here
    reads nothing.

    Args:
        folders: as `page` takes them.
        port: 0 for one that is free.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, folders: Sequence[str | Path], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folders = folders
        self._made: tuple[str, bytes] | None = None
        self._making = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error; whatever else happens is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

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


class _Handler(BaseHTTPRequestHandler):
    server: Server
    #: Seconds that a connection may be silent, or not take what it is sent, before it is closed.
    timeout = 10.0

    def do_GET(self) -> None:
        # The port is left out of the address where it is HTTP's own, 80.
        if self.headers.get("Host", "").partition(":")[0] not in _LOCAL_NAMES:
            return self.send_error(403)
        try:
            if self.path == "/":
                return self._answer(self.server.page(), "text/html; charset=utf-8", {"Content-Encoding": "gzip"})
            if self.path == "/version":
                return self._answer(self.server.version().encode(), "text/plain")
        except (ForgerError, OSError) as error:
            # The folder is gone for the moment: the page that is open stays, and asks again.
            return self._answer(str(error).encode(), "text/plain; charset=utf-8", {}, status=503)
        return self.send_error(404)

    def _answer(self, body: bytes, kind: str, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        sent = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store", **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)
