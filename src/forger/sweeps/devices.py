"""Which devices a worker's trials get: told without torch, which would initialise them."""

import os
import shutil
import subprocess

from forger.errors import ConfigError
from forger.sweeps.definition import Definition


def devices_of_workers(definition: Definition, wanted: int | None) -> list[dict[str, str]]:
    """The environment of each worker: one for each `sweep.gpus` GPUs, else one for each `sweep.threads` cores.

    More workers than that share the GPUs in turn.

    Raises:
        ConfigError: a trial asks for more GPUs than there are.
    """
    sweep = definition.sweep
    gpus = [] if definition.run_config.trainer.accelerator == "cpu" else visible_gpus()
    if not gpus:
        return [{}] * (wanted or max(1, cores() // sweep.threads))
    if sweep.gpus > len(gpus):
        raise ConfigError(f"sweep.gpus={sweep.gpus}: this machine has {len(gpus)}")
    groups = [gpus[i : i + sweep.gpus] for i in range(0, len(gpus) - sweep.gpus + 1, sweep.gpus)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(groups[i % len(groups)])} for i in range(wanted or len(groups))]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Indices or names of the GPUs this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    return answer.stdout.split() if answer.returncode == 0 else []
