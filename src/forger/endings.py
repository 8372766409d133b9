"""The signals that ask a process to end."""

import os
import signal
import stat


def asking() -> tuple[int, ...]:
    """SIGINT, SIGTERM and, unless it is ignored (nohup), SIGHUP: the terminal was closed."""
    asked = (signal.SIGINT, signal.SIGTERM)
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*asked, signal.SIGHUP)


def leave_terminal() -> None:
    """Have what is still said go nowhere where it went to a terminal: after SIGHUP there may be none to write to."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)
