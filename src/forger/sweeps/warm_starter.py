"""Runs forked by a process that has done their imports (`forger.sweeps.warm`)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from forger.sweeps.processes import TO_SAVE, Process, Starter

#: Seconds that the imports of a warm start may take.
_TO_IMPORT = 300.0


class WarmStarter(Starter):
    """Has runs forked by a process that has done the imports (`forger.sweeps.warm`), started when first needed.

    Args:
        environment: for every run, on top of this process's.
        modules: that a run will import beside what every run does.
    """

    def __init__(self, environment: Mapping[str, str], modules: Sequence[str] = ()) -> None:
        super().__init__(environment)
        self.modules = list(modules)
        self._socket: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._events: list[dict[str, Any]] = []
        #: Exit codes by process.
        self.codes: dict[int, int] = {}

    def prepare(self) -> bool:
        """Start the server and wait until it is warm; whether it is."""
        if self.alive:
            return True
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "forger.sweeps.warm", str(theirs.fileno()), *self.modules]
            self._server = subprocess.Popen(
                command, env=self.environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
            )
        self._socket = ours
        return self._next("ready", _TO_IMPORT) is not None

    @property
    def pids(self) -> set[int]:
        return super().pids | (set() if self._server is None else {self._server.pid})

    @property
    def alive(self) -> bool:
        """Whether the server can be asked."""
        return self._socket is not None and self._server is not None and self._server.poll() is None

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Process:
        if self.prepare():
            assert self._socket is not None
            request = {
                "arguments": list(arguments),
                "environment": {**self.environment, **environment},
                "output": str(output.resolve()),
            }
            with suppress(OSError):  # where it has just been killed, it does not answer
                self._socket.sendall(json.dumps(request).encode() + b"\n")
            if (pid := self._next("pid", TO_SAVE)) is not None:
                return _Forked(pid, self)
        # A run that starts cold will report whatever keeps the server from starting.
        return super().start(arguments, environment, output)

    def listen(self, seconds: float) -> None:
        """Read what the server has said, waiting at most so long for something."""
        if self._socket is None:
            return
        self._socket.settimeout(max(seconds, 1e-3))
        try:
            received = self._socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError:
            received = b""
        if not received:
            self.close()
        *lines, self._received = (self._received + received).split(b"\n")
        for event in map(json.loads, lines):
            if "code" in event:
                self.codes[event["pid"]] = event["code"]
            else:
                self._events.append(event)

    def _next(self, key: str, seconds: float) -> int | None:
        """The value of the next event; None if the server ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not self._events:
            if self._socket is None or time.monotonic() > deadline:
                self.close()
                return None
            self.listen(1.0)
        return self._events.pop(0)[key]

    def close(self) -> None:
        """End the server, and with it, after they have saved their state, its runs."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._server is not None:
            try:
                self._server.wait(TO_SAVE)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        self._received, self._events = b"", []


class _Forked:
    """A run that the server forked."""

    def __init__(self, pid: int, starter: WarmStarter) -> None:
        self.pid = pid
        self._starter = starter

    def poll(self) -> int | None:
        return self._poll(0.0)

    def _poll(self, seconds: float) -> int | None:
        if self.pid not in self._starter.codes:
            self._starter.listen(seconds)
        if self.pid not in self._starter.codes and not self._starter.alive:
            self._outlive_server()
        return self._starter.codes.get(self.pid)

    def _outlive_server(self) -> None:
        """Wait for a run whose server was killed: it saves its state and ends."""
        try:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self._starter.codes[self.pid] = os.waitstatus_to_exitcode(status)
        except ChildProcessError:  # not adopted
            if not _exists(self.pid):
                self._starter.codes[self.pid] = -signal.SIGKILL  # how it ended is unknown

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while (code := self._poll(0.1)) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("forger train", timeout or 0)
            if not self._starter.alive:
                time.sleep(0.05)
        return code


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
