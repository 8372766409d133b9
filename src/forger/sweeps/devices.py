"""Which devices a worker's trials get, found without torch, which would initialise them."""

import os
import shutil
import subprocess
import sys

from forger.errors import ConfigError
from forger.sweeps.definition import Definition


def devices_of_workers(definition: Definition, wanted: int | None) -> list[dict[str, str]]:
    """The environment of each worker: one for each `sweep.gpus` GPUs, else one for each `sweep.threads` cores.

    More workers than that share the GPUs in turn.

    Raises:
        ConfigError: a trial asks for more GPUs than there are.
    """
    sweep, accelerator = definition.sweep, definition.run_config.trainer.accelerator
    gpus = [] if accelerator == "cpu" else visible_gpus()
    if not gpus and accelerator in ("gpu", "cuda"):
        raise ConfigError(
            f"trainer.accelerator={accelerator}: this machine has no GPU (`forger doctor` says why); use trainer=cpu, "
            "or launcher=slurm or ray for machines that have one"
        )
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
        # A container may have GPUs without nvidia-smi. A separate process, since torch caches the devices it has found.
        ask = [sys.executable, "-c", "import torch; print(*range(torch.cuda.device_count()))"]
        return subprocess.run(ask, capture_output=True, text=True, timeout=120).stdout.split()
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    return answer.stdout.split() if answer.returncode == 0 else []
