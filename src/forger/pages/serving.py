"""A server for the browsers of this machine alone."""

import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from forger.errors import ConfigError

logger = logging.getLogger(__name__)

_LOCAL_NAMES = ("127.0.0.1", "localhost")


class LocalServer(ThreadingHTTPServer):
    """Listens on the loopback interface only, and is to be used with a `LocalHandler`.

    Args:
        handler: of its requests.
        port: 0 for one that is free.

    Raises:
        ConfigError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, handler: type["LocalHandler"], port: int = 0) -> None:
        try:
            super().__init__(("127.0.0.1", port), handler)
        except OSError as error:
            raise ConfigError(f"--port {port}: {error.strerror or error}; leave it out for a free one") from None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def until_interrupted(self) -> None:
        """Print the address, and serve until Ctrl-C."""
        with self:
            print(f"{self.address} (Ctrl+C ends it)", flush=True)
            try:
                self.serve_forever()
            except KeyboardInterrupt:
                print(file=sys.stderr)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error; whatever else happens is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers only to the loopback interface's names, and to no other site's pages.

    So a web site whose name points here reads nothing, and a page of another origin, which a browser could make send
    something, is refused before it is read.
    """

    #: Seconds that a connection may be silent, or not take what it is sent, before it is closed.
    timeout = 10.0

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        host = self.headers.get("Host", "")
        # The port is left out of the address where it is HTTP's own, 80.
        local = host.partition(":")[0] in _LOCAL_NAMES
        if not local or self.headers.get("Origin", f"http://{host}") != f"http://{host}":
            self.send_error(403)
            return False
        return True

    def answer(self, body: bytes, kind: str, headers: dict[str, str] | None = None, status: int = 200) -> None:
        """Send a whole answer, which no other site may show in a frame or read, and no browser keeps."""
        self.send_response(status)
        sent = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in (sent | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)
