"""Train in this process: composing a config and a few rounds cost a second, a new process ten."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from forger.config.shipped import conf_folder
from forger.records import RunFolder
from forger.run import train

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


def without(what: str, package: str) -> NoReturn:
    """Skip a test that needs what this machine lacks; in CI, which installs it (scripts/test.sh), fail."""
    reason = f"no {what} here (apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def command(*arguments: str, cwd: Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """`forger ARGUMENTS` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "forger", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
