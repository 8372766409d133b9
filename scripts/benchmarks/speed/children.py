"""What processes cost that this one starts."""

import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from scripts.benchmarks.speed.measuring import Cost


def environment() -> dict[str, str]:
    """For processes on one thread that find the bytecode of what they import, or leave it for the next."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"OMP_NUM_THREADS": "1"}


def spent(call: Callable[[], Any]) -> Cost:
    """Processor time of the processes that begin and end within a call, those that they start included."""
    cpu, wall = _processor(), time.perf_counter()
    call()
    return Cost(_processor() - cpu, time.perf_counter() - wall)


def command(arguments: Sequence[str]) -> Cost:
    """What a command costs that must succeed; its output is not shown."""
    return spent(lambda: subprocess.run(arguments, env=environment(), stdout=subprocess.DEVNULL, check=True))


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
