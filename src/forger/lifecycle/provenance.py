"""What a run was made with and on: code, versions, hardware."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from forger.records import Device, GitState, Record

PACKAGES = (
    "forger", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "torch-fidelity", "hydra-core",
    "numpy", "scipy", "scikit-learn", "wandb",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result can depend on; missing ones are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> GitState | None:
    """Commit of the checkout this package runs from and whether it was changed; None outside a checkout."""
    folder = Path(__file__).resolve().parent
    if not any((parent / ".git").exists() and (parent / "conf").is_dir() for parent in folder.parents):
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {
            "commit": commit,
            "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()


def device_state(accelerator: str, devices: int, parts: int = 1) -> Device:
    """The hardware and the settings that the bits of a result depend on."""
    import torch

    state: Any = {
        "accelerator": accelerator,
        "devices": devices,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
    }
    limits = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")
    state |= {name: os.environ[name] for name in limits if name in os.environ}
    if parts > 1:
        state["parts"] = parts
    if accelerator == "cuda":
        state["gpu"] = torch.cuda.get_device_name()
    return state


def differences(before: Record, now: Record) -> list[str]:
    """What differs between two records' conditions and can change bits, as texts ``torch 2.15.0 → 2.11.0``."""
    was, is_ = _conditions(before), _conditions(now)
    names = [*was, *(name for name in is_ if name not in was)]
    return [f"{n} {was.get(n, 'none')} → {is_.get(n, 'none')}" for n in names if was.get(n) != is_.get(n)]


def _conditions(record: Record) -> dict[str, str]:
    git = record.git
    code = {} if git is None else {"code": str(git.get("commit"))[:12] + (" with changes" if git.get("dirty") else "")}
    packages = {name: version for name, version in record.versions.items() if name != "wandb"}
    device = {name: str(value) for name, value in record.device.items() if name != "changed"}
    return {**packages, **code, **device}
