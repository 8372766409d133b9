"""Processes that train, are killed, starved and damaged, and what can be compared of two runs."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from forger.callbacks.checkpoint_files import VerifiedCheckpointIO, callback_states
from forger.config.explain import tell
from forger.files import read_rows
from forger.run import train
from forger.run_folder import WALL_CLOCK, RunFolder

#: Of a checkpoint, what tells of the way there: Lightning's own counting.
_OF_THE_WAY = ("loops", "epoch", "global_step")


def start(config: Any, log: Path, before: Callable[[], None] = lambda: None) -> int:
    """Begin to train in a new process; its id."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            before()
            code = train(config)
        except BaseException as error:
            code = tell(error)
        finally:
            os._exit(code)
    return process


def wait(process: int) -> int:
    """The exit code of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def finish(config: Any, log: Path, before: Callable[[], None] = lambda: None) -> int:
    """Train to the end in a new process; its exit code."""
    return wait(start(config, log, before))


def killed(process: int, moment: Callable[[], bool]) -> bool:
    """Send SIGKILL once it is the moment; whether the process was still there."""
    while not moment():
        if os.waitpid(process, os.WNOHANG) != (0, 0):
            return False
    os.kill(process, signal.SIGKILL)
    return wait(process) == -signal.SIGKILL


def having(run: Path, rows: int) -> Callable[[], bool]:
    """The moment at which a run has so many rows."""

    def moment() -> bool:
        time.sleep(0.001)
        return len(read_rows(run / "metrics.jsonl")) >= rows

    return moment


def while_saving(run: Path, skip: int) -> Callable[[], bool]:
    """The moment at which a checkpoint is being written, after some that are let pass."""
    seen: set[tuple[str, int]] = set()

    def moment() -> bool:
        time.sleep(0.0002)
        seen.update(unfinished(run))
        return len(seen) > skip

    return moment


def unfinished(run: Path) -> set[tuple[str, int]]:
    """Names and numbers of the temporary files of checkpoints."""
    found = set()
    with suppress(FileNotFoundError):  # renamed or removed meanwhile
        for entry in os.scandir(run / "checkpoints"):
            if entry.name.startswith(".") and ".ckpt" in entry.name:
                found.add((entry.name, entry.stat().st_ino))
    return found


def wait_for_folder(root: Path, process: int) -> Path | None:
    """The run folder, once it is there."""
    while not (found := list(root.glob("*/*/checkpoints"))):
        time.sleep(0.002)
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return None
    return found[0].parent


def in_child(what: Callable[[], str]) -> str:
    """A text from a new process: this one must never compute with torch, or forking ends."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(writer, what().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    wait(process)
    return text


def small_files_only(size: int) -> None:
    """Let writing fail beyond so many bytes, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def spoil(file: Path, chance: random.Random) -> str:
    """Truncate a file, or turn one of its bits, whatever links to it."""
    content = bytearray(file.read_bytes())
    if chance.random() < 0.5:
        length = chance.randrange(len(content))
        file.unlink()
        file.write_bytes(content[:length])
        return f"cut to {length} of {len(content)} bytes"
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    content[place] ^= 1 << bit
    file.unlink()
    file.write_bytes(content)
    return f"bit {bit} of byte {place} turned"


# What is compared -------------------------------------------------------------------------------------------


def folder_of(root: Path) -> RunFolder:
    """The only run in a folder of runs."""
    (record,) = root.glob("*/*/record.json")
    return RunFolder(record.parent)


def evidence(run: RunFolder) -> dict[str, Any]:
    """All that must be the same in two runs, by name."""
    record = run.read()
    found: dict[str, Any] = {
        k: getattr(record, k) for k in ("status", "images", "iterations", "weights_sha256", "scores", "alerts")
    }
    for number, row in enumerate(read_rows(run.metrics_file)):
        found[f"row {number}"] = {name: value for name, value in row.items() if name not in WALL_CLOCK}
    found["alerts.jsonl"] = read_rows(run.alerts_file)
    for file in sorted([*run.samples.iterdir(), run.checkpoints / "final.ckpt", run.checkpoints / "best.ckpt"]):
        if file.suffix == ".ckpt":
            found |= {f"{file.name} {k}": v for k, v in contents(file).items()} if file.exists() else {}
        else:
            found[file.name] = sha256(file.read_bytes()).hexdigest()
    return found


def contents(file: Path) -> dict[str, str]:
    """The parts of a checkpoint (weights and averages, moments of the optimisers, pools, callbacks, …), hashed."""
    checkpoint = VerifiedCheckpointIO().load_checkpoint(file)
    members = callback_states(checkpoint)
    members.pop("Budget")  # seconds
    members["Checkpoints"].pop("last_row", None)  # the hash of a row, which has its seconds
    parts = {name: value for name, value in checkpoint.items() if name not in _OF_THE_WAY}
    return {name: sha256(repr(list(leaves(value))).encode()).hexdigest() for name, value in parts.items()}


def leaves(node: Any, place: str = "") -> Iterator[tuple[Any, ...]]:
    """Every leaf of nested containers with its place, tensors as their bytes."""
    if isinstance(node, dict):
        for key in sorted(node, key=str):
            yield from leaves(node[key], f"{place}/{key}")
    elif isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from leaves(item, f"{place}/{index}")
    elif isinstance(node, torch.Tensor):
        raw = node.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        yield place, str(node.dtype), tuple(node.shape), sha256(raw).hexdigest()
    else:
        yield place, node


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
