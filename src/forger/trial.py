"""The sweep that a run is a trial of, which its worker puts into the environment."""

import json
import os
import signal
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_VARIABLE = "FORGER_TRIAL"
#: Variable with the id of the process that a run must not outlive.
PARENT = "FORGER_PARENT"


@dataclass(frozen=True)
class Membership:
    """A run's place in a sweep.

    Args:
        sweep: its name.
        number: of the trial.
        folder: the trial's, with the folders of its runs in it.
        parameters: what the sampler chose.
    """

    sweep: str
    number: int
    folder: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def prune_file(self) -> Path:
        """Exists once the worker has given the trial up, before it sends SIGTERM."""
        return Path(self.folder) / ".pruned"

    def environment(self) -> dict[str, str]:
        """The variable that passes the membership to a process."""
        return {_VARIABLE: json.dumps(asdict(self))}


def membership() -> Membership | None:
    """This process's place in a sweep, if it has one."""
    text = os.environ.get(_VARIABLE)
    return Membership(**json.loads(text)) if text else None


def ending(status: str) -> str:
    """The status of a run that is over: one that was interrupted because its sweep gave it up is ``pruned``."""
    trial = membership()
    return "pruned" if status == "interrupted" and trial is not None and trial.prune_file.exists() else status


def follow_parent(seconds: float = 1.0) -> None:
    """Have this process end as by SIGTERM, its state saved, once the process that started it is gone.

    Nothing happens unless the environment names that process. The name is removed, so that processes started from here
    (other ranks) do not take it for their own parent.
    """
    given = os.environ.pop(PARENT, None)
    if given is None:
        return
    # Take the given id: the parent may have ended, and the process that adopted this one is another.
    parent = int(given)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
