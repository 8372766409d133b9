"""Train in this process: composing a config and a few rounds cost a second, a new process ten."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn
from unittest.mock import patch

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor

from forger.config.shipped import conf_folder
from forger.data.loader import Stream
from forger.run import train
from forger.run_folder import RunFolder
from forking import become, forked

#: A few rounds on one thread, nothing but the run folder.
SMALL = (
    "budget.images=640", "metrics.every_images=320", "metrics.n=128", "samples.every_images=320", "samples.n=9",
    "samples.closing=[]", "checkpoint.every_images=320", "log.every=1", "trainer.threads=1", "logger=none",
)  # fmt: skip


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", list(overrides))


def trained(root: Path, *overrides: str, code: int = 0) -> RunFolder:
    """The folder of a small run in ``root``, which must end with ``code``."""
    before = set(root.glob("*/*/record.json"))
    assert train(composed(*SMALL, f"run.root={root}", *overrides)) == code
    after = sorted(root.glob("*/*/record.json"), key=lambda path: path.stat().st_mtime)
    new = [path for path in after if path not in before]
    return RunFolder((new or after)[-1].parent)


def interrupted(root: Path, *overrides: str, after: int) -> RunFolder:
    """The folder of a small run that Ctrl-C ends after some rounds."""

    class Interrupting(Stream):
        def __iter__(self) -> Iterator[Iterator[dict[str, Tensor]]]:
            for number, batches in enumerate(super().__iter__(), 1):
                if number == after:
                    os.kill(os.getpid(), signal.SIGINT)
                yield batches

    with patch("forger.run.Stream", Interrupting):
        run = trained(root, *overrides, code=130)
    assert run.read().status == "interrupted"
    return run


def without(what: str, package: str) -> NoReturn:
    """Skip a test that needs what this machine lacks; in CI, which installs it (scripts/test.sh), fail."""
    reason = f"no {what} here (apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Begun:
    """`python -m MODULE ARGUMENTS` as a process of its own, which finds everything imported (`forking`)."""

    def __init__(self, *arguments: str, cwd: Path, module: str = "forger", **environment: str) -> None:
        self.arguments = arguments
        self.out, self.err = NamedTemporaryFile("r"), NamedTemporaryFile("r")  # noqa: SIM115
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.process = forked(become, module, arguments, cwd, variables, self.out.name, self.err.name)

    def ended(self, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Its exit code and what it printed, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it was still at work after so many seconds, and was killed.
        """
        self.process.join(timeout)
        late = self.process.exitcode is None
        if late:
            self.process.kill()
            self.process.join()
        with self.out, self.err:
            out, err = self.out.read(), self.err.read()
        if late:
            raise subprocess.TimeoutExpired(self.arguments, timeout, out, err)
        assert self.process.exitcode is not None
        return subprocess.CompletedProcess(self.arguments, self.process.exitcode, out, err)


def command(*arguments: str, cwd: Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """`forger ARGUMENTS` from its begin to its end, as `Begun`."""
    return Begun(*arguments, cwd=cwd, **environment).ended(timeout)


def unprepared(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`forger ARGUMENTS` as Python starts it, which takes 8 s of a processor where it imports torch."""
    return subprocess.run(
        [sys.executable, "-m", "forger", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
