"""Lock files, and file systems that have none (Lustre, NFS with nolock)."""

import errno
import fcntl
import logging
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from data.pictures import write
from forger.config.explain import explain
from forger.data.collection import Files
from forger.data.pixels.layout import Layout
from forger.data.store import stored
from forger.errors import ConfigError
from forger.locking import locked
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.reference import Reference
from forger.run_folder import RunFolder
from sweeps.studies import begun


@pytest.fixture(params=["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(getattr(errno, request.param), "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_lock_file_is_waited_for(tmp_path: Path) -> None:
    got = threading.Event()

    def wait_for_it() -> None:
        with locked(tmp_path / "lock"):
            got.set()

    with locked(tmp_path / "lock"):
        forked = os.fork()
        if forked == 0:  # has the open file, and is no reason to wait once the block has ended
            signal.pause()
        other = threading.Thread(target=wait_for_it)
        other.start()
        assert not got.wait(0.3)
    assert got.wait(30)
    other.join()
    os.kill(forked, signal.SIGKILL)
    os.waitpid(forked, 0)


def test_a_run_where_nothing_can_be_locked_says_where_and_what_to_do(no_locks: None, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(OSError, match="no file locks") as caught, run.lock():
        pass
    line, code = explain(caught.value)
    assert code == 1
    assert line.startswith(f"{tmp_path}/run/.lock: this file system has no file locks (NFS mounted with nolock,")
    assert "run.root=FOLDER" in line
    # What lies there can be read all the same.
    assert not run.locked


def test_a_sweep_there_says_so_too(no_locks: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.storage=sqlite.*no file locks.*run\.root=FOLDER.*study\.db\.lock"):
        begun(tmp_path)


def test_without_locks_nothing_is_cached(no_locks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [Path("0.png"), Path("1.png")]
    for name in names:
        write(tmp_path / "pictures" / name)
    with caplog.at_level(logging.WARNING):
        rows, _ = stored(Files(tmp_path / "pictures", names), Layout.of(1, 8), cache=tmp_path / "decoded")
        images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        reference = Reference.build(DigitsExtractor(), images, split="test", cache=tmp_path / "references")
    assert len(rows) == 2
    assert len(reference.features) == 4
    assert caplog.text.count("no file locks") == 2
