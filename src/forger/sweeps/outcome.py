"""How a trial's run ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from forger.run_folder import RunFolder
from forger.sweeps.rows import last_value


@dataclass
class Outcome:
    """How the run of one seed ended: finished, pruned, diverged, stopped, failed or killed."""

    status: str
    values: list[float] = field(default_factory=list)
    reason: str = ""
    #: Ends that a second attempt would repeat.
    repeats: bool = False


def outcome_of(code: int, folder: RunFolder | None, objective: Sequence[str], output: bytes) -> Outcome:
    """The outcome of a run.

    Args:
        code: its exit code, negative where a signal killed it.
        folder: its run folder, if it made one.
        objective: the scores that count.
        output: its lines on the terminal.
    """
    if code in (0, 3) and folder is not None:
        values = [last_value(folder, f"score/{name}") for name in objective]
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if code == 0 and len(finite) == len(values):
            return Outcome("finished", finite)
        return Outcome("stopped" if folder.read().status == "stopped" else "diverged")
    lines = output.decode(errors="replace").strip().splitlines()
    said = lines[-1].removeprefix("forger: ") if lines else "no word"
    if code < 0 or code > 128:  # it may have saved its state, which is more than was to be hoped for
        return Outcome("killed", reason=f"killed by signal {-code if code < 0 else code - 128}")
    return Outcome("failed", reason=f"exit code {code}: {said}", repeats=code == 2)
