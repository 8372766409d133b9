"""Processes that find torch, Lightning and forger imported: importing them takes 8 s of a processor, forking none.

They are forked from a server that has imported and done nothing else, since a process in which torch has computed can't
be forked. Each process of pytest has one server, which ends with it. A test about imports, pipes, a second signal or a
variable that Python or a package reads when it starts needs a process that nobody prepared.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

_SERVED = multiprocessing.get_context("forkserver")
_SERVED.set_forkserver_preload(["__main__", "forger.run", "forger.commands.train", "sklearn.datasets"])
#: As it was when pytest began: tests change theirs.
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def serve() -> None:
    """Start the server, if it isn't there yet; ``torch.multiprocessing`` takes it as the ``forkserver`` too."""
    with mock.patch.dict(os.environ, _ENVIRONMENT, clear=True):
        forkserver.ensure_running()


def forked(what: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """A process, already started, that calls a function which can be pickled."""
    serve()
    process = _SERVED.Process(target=what, args=arguments)
    process.start()
    return process


def become(
    module: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], out: str, err: str
) -> None:
    """Be what `python -m MODULE ARGUMENTS` is, with the two streams going to files."""
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, str(cwd))
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:  # what Python does at the end of a process, and multiprocessing does not
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
