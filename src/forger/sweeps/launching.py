"""The workers of a sweep as jobs of a cluster, through submitit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from forger.console import say
from forger.errors import ConfigError
from forger.sweeps.definition import Definition


class WorkerJob:
    """`forger sweep worker` as the body of a job.

    When the job is preempted or its time is up, submitit calls `checkpoint`: the worker saves its run and hands
    the trial back, and the job that is requeued goes on with whatever is open.
    """

    def __init__(self, typed: Sequence[str]) -> None:
        self.typed = list(typed)
        self._pid = 0

    def __call__(self, index: int) -> int:
        """Work until every trial has ended; the worker's exit code."""
        process = subprocess.Popen([sys.executable, "-m", "forger", "sweep", "worker", *self.typed])
        self._pid = process.pid
        while process.poll() is None:
            time.sleep(0.1)
        return process.returncode

    def checkpoint(self, index: int) -> Any:
        """Called in a signal handler, in the midst of `__call__`."""
        from submitit.helpers import DelayedSubmission

        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)  # not `Popen.wait`, whose lock the interrupted call may hold
        return DelayedSubmission(WorkerJob(self.typed), index)


def submit(definition: Definition, typed: Sequence[str], workers: int) -> int:
    """Submit an array of workers and say how to follow it; 0."""
    jobs = submitted(definition, typed, workers)
    folder = jobs[0].paths.folder
    several = "" if len(jobs) == 1 else "s"
    say(f"sweep {definition.name}: {len(jobs)} worker{several} submitted, jobs {', '.join(job.job_id for job in jobs)}")
    say(f"  logs: {folder}; `forger sweep status` shows how far they are, the same command adds workers")
    return 0


def submitted(definition: Definition, typed: Sequence[str], workers: int) -> list[Any]:
    """The jobs of an array of workers.

    Raises:
        ConfigError: submitit is not installed, there is no Slurm, or it knows no such parameter.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError("launcher=slurm: needs submitit; pip install 'forger[slurm]'") from None
    launcher, sweep = definition.launcher, definition.sweep
    on_gpu = definition.run_config.trainer.accelerator != "cpu"
    parameters = {
        "name": f"forger-{definition.name.replace('/', '-')}",
        "cpus_per_task": sweep.threads + 1,
        **({"gpus_per_node": sweep.gpus} if on_gpu else {}),
        "slurm_array_parallelism": workers,
        **launcher.parameters,
    }
    try:
        executor = submitit.AutoExecutor(
            folder=launcher.folder or definition.root / ".jobs",
            cluster=launcher.cluster,
            slurm_max_num_timeout=1000,  # a sweep may well outlast its jobs
        )
        executor.update_parameters(**parameters)
    except (NameError, TypeError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"launcher: {' '.join(str(error).split())[:300]}") from None
    return executor.map_array(WorkerJob(typed), range(workers))
