"""Checks, before any work starts, whether this machine has what `trainer` asks for."""

import os
from typing import Any

from forger.config.schema import TrainerConfig
from forger.console import say
from forger.errors import ConfigError

#: Variables that launchers set for each process; whole numbers. Lightning reads them when it is imported.
_NUMBERS = ("SLURM_PROCID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_NTASKS", "SLURM_LOCALID", "NODE_RANK")
#: If one of these is in the environment, a launcher has started the processes of several machines.
_CLUSTER = ("SLURM_JOB_ID", "MASTER_ADDR", "NODE_RANK", "GROUP_RANK")


def check_placement(trainer: TrainerConfig) -> None:
    """Refuse devices, precisions and machines that are not there.

    Raises:
        ConfigError: one line with the key, what this machine has, and what to do.
    """
    import torch

    gpus = torch.cuda.device_count()
    on_gpu = _check_accelerator(trainer.accelerator, gpus)
    devices = trainer.devices
    if on_gpu and trainer.accelerator != "mps":
        _check_gpus(devices, gpus)
    elif isinstance(devices, list):
        raise ConfigError(f"trainer.devices={devices}: names GPUs, and this run is on the CPU; give a number")
    elif devices == -1 or (isinstance(devices, int) and devices > 8 * (os.cpu_count() or 1)):
        raise ConfigError(
            f"trainer.devices={devices}: on the CPU these are processes; "
            f"this machine has {os.cpu_count()} cores, so name as many or fewer"
        )
    if trainer.precision == "16-mixed" and not on_gpu:
        raise ConfigError("trainer.precision=16-mixed: needs a GPU; on the CPU take bf16-mixed or 32-true")
    if trainer.num_nodes > 1 and not any(name in os.environ for name in _CLUSTER):
        raise ConfigError(
            f"trainer.num_nodes={trainer.num_nodes}: nobody has started processes on other machines; "
            "submit it with srun or torchrun, or set trainer.num_nodes=1"
        )


def say_placement(trainer: TrainerConfig) -> None:
    """Say what `trainer` leaves open, where the answer may surprise."""
    import torch

    if trainer.accelerator == "auto" and not (torch.cuda.device_count() or torch.backends.mps.is_available()):
        say("trainer.accelerator=auto: torch sees no GPU here (`forger doctor` says why), so the CPU it is")


def check_launcher() -> None:
    """Refuse what a launcher can't have told this process.

    Raises:
        ConfigError: the environment holds something else than a number.
    """
    for name in _NUMBERS:
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise ConfigError(f"{name}={value} in the environment: must be a whole number; unset it, or set it right")


def _check_accelerator(accelerator: str, gpus: int) -> bool:
    """Whether the run will be on a GPU."""
    import torch

    mps = torch.backends.mps.is_available()
    wanting = not mps if accelerator == "mps" else not gpus if accelerator == "cuda" else not (gpus or mps)
    if accelerator in ("gpu", "cuda", "mps") and wanting:
        raise ConfigError(
            f"trainer.accelerator={accelerator}: torch sees no such GPU here (`forger doctor` says why); "
            "use trainer=cpu"
        )
    return accelerator != "cpu" and bool(gpus or mps)


def _check_gpus(devices: Any, gpus: int) -> None:
    there = f"torch sees {gpus} GPU{'s' if gpus != 1 else ''} here"
    if isinstance(devices, int) and devices > max(gpus, 1):
        raise ConfigError(f"trainer.devices={devices}: {there}; name as many or fewer")
    if isinstance(devices, list):
        if len(set(devices)) < len(devices):
            raise ConfigError(f"trainer.devices={devices}: names a GPU twice")
        if max(devices) >= gpus:
            raise ConfigError(f"trainer.devices={devices}: {there}, numbered from 0 to {gpus - 1}")


def is_distributed(config: Any) -> bool:
    """Whether Lightning would start further processes for this config, if in doubt yes."""
    from omegaconf import ListConfig, OmegaConf

    devices = OmegaConf.select(config, "trainer.devices", default=1)
    if isinstance(devices, ListConfig):
        several = len(devices) > 1
    elif devices == "auto":
        several = OmegaConf.select(config, "trainer.accelerator") != "cpu"
    else:
        several = devices not in (0, 1)
    return several or OmegaConf.select(config, "trainer.num_nodes", default=1) != 1
