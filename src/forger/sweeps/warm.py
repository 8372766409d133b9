"""Runs that start warm: forked, each a process of its own, from one that has imported torch and Lightning.

``python -m forger.sweeps.warm FD MODULE…`` imports the modules, too, and serves the worker at the other end of a
socket. It reads requests, one JSON object a line with ``arguments``, ``environment`` and ``output``, and answers with
one line for each event: ``{"pid": …}`` when a run has started, ``{"pid": …, "code": …}`` when it has ended. It computes
nothing and uses no device, so that a fork inherits no threads and no CUDA context. When the worker ends, the server and
its runs end too.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

from forger import standard_streams
from forger.trial import PARENT

#: The slow imports: torch, Lightning, Hydra, and the package that holds the built-in data.
_SLOW = ("forger.run", "forger.commands.train", "sklearn.datasets")


def serve(worker: socket.socket, modules: Sequence[str]) -> None:
    """Fork runs as they are asked for, until the worker has ended."""
    for module in (*_SLOW, *modules):
        # The run will report a module that can't be imported.
        with suppress(Exception):
            import_module(module)
    # Garbage collection would write to every page that a run shares with this process, and so copy it.
    gc.collect()
    gc.freeze()
    ended_read, ended_write = os.pipe()
    os.set_blocking(ended_write, False)
    signal.set_wakeup_fd(ended_write)
    signal.signal(signal.SIGCHLD, _nothing)
    # The worker handles a terminal's Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = os.getpid()
    running: set[int] = set()
    waiting = b""
    _tell(worker, {"ready": server})
    while True:
        ready, _, _ = select.select([worker, ended_read], [], [])
        if ended_read in ready:
            os.read(ended_read, 4096)
            for pid in list(running):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    running.discard(pid)
                    _tell(worker, {"pid": pid, "code": os.waitstatus_to_exitcode(status)})
        if worker in ready:
            received = worker.recv(1 << 16)
            if not received:
                break
            *lines, waiting = (waiting + received).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    os.close(ended_read)
                    os.close(ended_write)
                    worker.close()
                    _become(json.loads(line), server)
                running.add(pid)
                _tell(worker, {"pid": pid})
    for pid in running:
        os.kill(pid, signal.SIGTERM)
    for pid in running:
        os.waitpid(pid, 0)
    os._exit(0)  # libraries take what is frozen for leaks, and say so at length


def _become(request: Mapping[str, Any], server: int) -> None:
    """Run the command that was asked for in the process just forked, and end with its exit code."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setpgid(0, 0)
        output = os.open(request["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.environ.clear()
        os.environ.update({**request["environment"], PARENT: str(server)})
        sys.argv = ["forger", "train", *request["arguments"]]
        # The program that a trial without this server would start, by the same way in.
        runpy.run_module("forger", run_name="__main__")
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
        if not isinstance(error, SystemExit):
            print(f"forger: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        # Ends at once: loggers' threads must not delay the exit, and the server's clean-up must not run here.
        os._exit(code)


def _tell(worker: socket.socket, event: Mapping[str, Any]) -> None:
    with suppress(OSError):  # where the worker has gone, the next read says so
        worker.sendall(json.dumps(event).encode() + b"\n")


def _nothing(number: int, frame: FrameType | None) -> None: ...


if __name__ == "__main__":
    standard_streams.settle()
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
