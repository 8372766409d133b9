"""The server of the page."""

import threading

from forger.pages.serving import LocalHandler, LocalServer
from forger.play.answering import answered, failed
from forger.play.page import MOST_SENT, page
from forger.play.playing import Playing

#: Bytes that a request may have; pictures are sent in it, in base 64.
MOST_BYTES = MOST_SENT * 4 // 3 + 2**20
#: Bytes of a request that is too long, read and thrown away so that its sender gets to hear that it is.
_MOST_IGNORED = 2**30


class Server(LocalServer):
    """Serves the page at ``/`` and answers what it asks at ``/ask``, one request at a time.

    Args:
        playing: the game.
        port: 0 for one that is free.

    Raises:
        ConfigError: the port is taken.
    """

    def __init__(self, playing: Playing, port: int = 0) -> None:
        super().__init__(_Handler, port)
        self.playing = playing
        self.page = page(playing).encode()
        self._answering = threading.Lock()

    def answered(self, body: bytes) -> tuple[int, bytes]:
        """The status and the answer, once those before have been answered."""
        with self._answering:
            return answered(self.playing, body)


class _Handler(LocalHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path != "/":
            return self.send_error(404)
        return self.answer(self.server.page, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        if self.path != "/ask":
            return self.send_error(404)
        # A form on another site's page can't send this type without being asked for by the browser first.
        if self.headers.get_content_type() != "application/json":
            return self._tell(415, "requests are application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._tell(411, "a request says how many bytes it has")
        if int(length) > MOST_BYTES:
            self._ignore(min(int(length), _MOST_IGNORED))
            return self._tell(413, f"too large: a picture has at most {MOST_SENT >> 20} MB")
        body = self.rfile.read(int(length))
        return self._send(*self.server.answered(body))

    def _ignore(self, length: int) -> None:
        while length > 0 and (part := self.rfile.read(min(length, 2**20))):
            length -= len(part)

    def _tell(self, status: int, line: str) -> None:
        self._send(status, failed(line))

    def _send(self, status: int, content: bytes) -> None:
        self.answer(content, "application/json", status=status)
