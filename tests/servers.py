"""Servers on loopback for the time of a test; what they are asked by a process that is then killed is no news."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """A client that goes away in the middle is no error; whatever else happens is printed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with 404, and tells nobody."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler] = Handler, port: int = 0) -> Iterator[str]:
    """The address, without a slash at its end, where the handler answers while the block runs."""
    with Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
