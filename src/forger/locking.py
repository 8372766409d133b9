"""Lock files: one process at a time, and a clear word where a file system has none."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What a file system says that has no `flock`.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def take_lock(descriptor: int, operation: int, path: Path) -> None:
    """`fcntl.flock` on an open file.

    Raises:
        BlockingIOError: another process holds it, and ``operation`` says not to wait.
        OSError: the file system has no locks; the message names the file and what to do.
    """
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        reason = (
            "this file system has no file locks (NFS mounted with nolock, Lustre without flock), so two processes "
            "could spoil each other's files; use another one (runs: run.root=FOLDER, caches: FORGER_CACHE)"
        )
        raise OSError(error.errno, reason, str(path)) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs, after waiting for whoever has it.

    Raises:
        OSError: it can't be made, or its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        take_lock(descriptor, fcntl.LOCK_EX, path)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process forked meanwhile has the file open, too
    finally:
        os.close(descriptor)
