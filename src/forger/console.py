"""A run's lines: on the terminal, and with their time in ``log.txt``."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from forger.redaction import redacted
from forger.standard_streams import printable


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # The reader of the output has gone (`forger train 2>&1 | head`); Rich would end the process.
        self.quiet = True


# In a notebook too lines go to stderr; Rich would make each of them a piece of HTML.
console = _Console(stderr=True, highlight=False, soft_wrap=True, force_jupyter=False)


def say(line: str) -> None:
    """A line for the user, kept in the run's log where one is open."""
    logging.getLogger("forger").info("%s", line)


class _Terminal(logging.Handler):
    def format(self, record: logging.LogRecord) -> str:
        """The line; without secrets where it goes to a file or another program."""
        line = printable(super().format(record))
        return line if console.is_terminal else redacted(line)

    def emit(self, record: logging.LogRecord) -> None:
        # Through the console of the progress bar, which moves out of the way.
        try:
            console.print(self.format(record), markup=False)
        except OSError:  # the terminal has gone; training has not
            console.quiet = True


class _LogFile(logging.FileHandler):
    def format(self, record: logging.LogRecord) -> str:
        """The line as it may be kept: without secrets."""
        return redacted(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore it: on a full disk the writers of the important files report the error."""


def show_lines(level: int = logging.INFO) -> None:
    """Send forger's log to the terminal, once, from this level on."""
    logger = logging.getLogger("forger")
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        logger.addHandler(_Terminal(level))
    logger.setLevel(logging.INFO)
    logger.propagate = False


@contextmanager
def keep_log(path: Path) -> Iterator[None]:
    """Add forger's lines to a file while the block runs."""
    handler = _LogFile(path, encoding="utf-8", delay=True)
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    formatter.converter = time.localtime
    handler.setFormatter(formatter)
    logger = logging.getLogger("forger")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
