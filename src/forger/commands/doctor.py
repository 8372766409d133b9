"""`forger doctor`: what this machine has, and what to do about the rest."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import forger
from forger.commands.declaring import Command, Option
from forger.config.shipped import conf_folder
from forger.tracking.wandb_account import login, server


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``missing`` is needed by every training, ``note`` by some."""

    name: str
    state: Literal["ok", "note", "missing"]
    value: str
    advice: str = ""


@dataclass(frozen=True)
class Hole:
    """A weakness that is known of some versions of a package."""

    package: str
    versions: str
    what: str
    source: str
    mended: str


#: As of November 2026; newer ones are not in it.
HOLES = (
    Hole("pytorch-lightning", ">=2.6.2,<=2.6.3", "a compromised upload", "Lightning issue 21691", ">=2.6.6"),
    Hole(
        "pytorch-lightning",
        "<2.6.6",
        "a checkpoint can run code in spite of weights_only",
        "CVE-2026-58659, Lightning issue 21913",
        ">=2.6.6",
    ),
    Hole("hydra-core", "<1.3.4", "a config can run code, by targets of instantiate", "CVE-2026-68508", ">=1.3.4"),
)


def examine(*, as_json: bool) -> int:
    """Print all findings; 1 if something that training needs is missing, else 0."""
    found: list[Finding] = []
    for look in _LOOKS:
        try:
            found.extend(look())
        except ImportError as error:
            found.append(Finding(look.__name__, "missing", f"can't be examined: {error}"))
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        _print(found)
    return int(any(finding.state == "missing" for finding in found))


def python() -> Iterator[Finding]:
    """The interpreter, forger itself and its configs."""
    where = f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.executable})"
    fine = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if fine else "missing", where, "" if fine else "forger needs Python 3.11")
    yield Finding("forger", "ok", f"{forger.__version__} ({Path(forger.__file__).parent})")
    experiments = sorted(file.stem for file in conf_folder().glob("experiment/*.yaml"))
    state = "ok" if experiments else "missing"
    advice = "" if experiments else "the configs did not come with the package: install forger again"
    yield Finding("configs", state, f"experiments {', '.join(experiments)} ({conf_folder()})", advice)


def packages() -> Iterator[Finding]:
    """Every package that forger requires, with its version, and what is known against it."""
    for line in metadata.requires("forger") or []:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        advice = f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(requirement.name, "missing", "not installed", advice)
            continue
        known = [hole for hole in HOLES if hole.package == requirement.name and version in SpecifierSet(hole.versions)]
        for hole in known:
            found = f"{version}: {hole.what} ({hole.source})"
            yield Finding(requirement.name, "note", found, f"pip install '{requirement.name}{hole.mended}'")
        if known:
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        yield Finding(requirement.name, "ok" if fits else "note", version, "" if fits else advice)


def devices() -> Iterator[Finding]:
    """Processors and accelerators that torch can use."""
    try:
        import torch
        import torchvision  # noqa: F401
    except Exception as error:  # a broken binary can raise anything
        advice = "install torch and torchvision together, from the same place"
        yield Finding("torch", "missing", f"{type(error).__name__}: {error}", advice)
        return
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding("cpu", "ok", f"{cores} cores, {threads} threads for torch, {capability}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            yield Finding(f"cuda:{index}", "ok", f"{properties.name}, {memory:.0f} GiB", "trainer=gpu")
    elif torch.version.cuda is None:
        yield Finding("cuda", "note", "this torch is built without CUDA", "with a GPU: another build of torch")
    else:
        advice = "with a GPU: update its driver (nvidia-smi tells the version)"
        yield Finding("cuda", "note", f"no GPU for CUDA {torch.version.cuda}", advice)
    if torch.backends.mps.is_available():
        yield Finding("mps", "ok", "Apple GPU", "trainer=gpu trainer.accelerator=mps")


def tracking() -> Iterator[Finding]:
    """Weights & Biases: who is logged in, and what a run would do."""
    source, mode = login(), os.environ.get("WANDB_MODE")
    if mode:
        yield Finding("wandb login", "note", f"WANDB_MODE={mode} decides", "unset WANDB_MODE for mode=auto")
    elif source:
        yield Finding("wandb login", "ok", f"by {source}, for {server()}: runs are online")
    else:
        advice = "`wandb login` for online runs; `wandb sync` sends those of before"
        yield Finding("wandb login", "note", "nobody: runs are kept offline", advice)


def weights() -> Iterator[Finding]:
    """The extractors' weights."""
    from torch.hub import get_dir

    from forger.hashing import file_sha256
    from forger.metrics.features.extractors import SHIPPED
    from forger.metrics.features.inception import FILE, HASH_PREFIX, URL

    for name, (file, sha256) in SHIPPED.items():
        fine = file.is_file() and file_sha256(file) == sha256
        advice = "" if fine else "the shipped file is damaged: install forger again"
        yield Finding(f"{name} weights", "ok" if fine else "missing", f"sha256 {sha256[:12]}…", advice)
    path = Path(get_dir()) / "checkpoints" / FILE
    if not path.is_file():
        advice = f"downloaded when fid, is or kid are first asked for; by hand: {URL} to {path}"
        yield Finding("inception weights", "note", "not here", advice)
    elif not file_sha256(path).startswith(HASH_PREFIX):
        yield Finding("inception weights", "note", f"{path} is damaged", "delete it")
    else:
        yield Finding("inception weights", "ok", str(path))


def disk() -> Iterator[Finding]:
    """Room for runs in the working directory."""
    free = shutil.disk_usage(".").free / 2**30
    state = "ok" if free >= 2 else "note"
    advice = "" if free >= 2 else "make room, or put runs elsewhere: run.root=FOLDER"
    yield Finding("disk", state, f"{free:.1f} GiB free in {Path.cwd()}", advice)
    if not os.access(".", os.W_OK):
        yield Finding("disk", "note", f"{Path.cwd()} can't be written", "put runs elsewhere: run.root=FOLDER")


_LOOKS = (python, packages, devices, tracking, weights, disk)
_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "missing": ("MISSING", "bold red")}


def _print(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    # Soft wrap: a path or an address must stay in one piece to be copied.
    console = Console(soft_wrap=True)
    width = max(len(finding.name) for finding in found) + 2
    for finding in found:
        mark, style = _MARKS[finding.state]
        line = Text.assemble((f"{mark:9}", style), f"{finding.name:{width}}{finding.value}")
        if finding.advice:
            line.append(f"\n{'':{9 + width}}{finding.advice}", style=style)
        console.print(line)


COMMAND = Command(
    name="doctor",
    arguments="",
    summary="what this machine has, and what to do about the rest",
    about="""\
What this machine has (Python, packages, devices, W&B login, extractor weights, disk), and what to do
about the rest. Ends with 1 if something that training needs is missing.
""",
    options=(Option("--json", "each finding: name, state, value, advice"),),
    run=lambda given: examine(as_json="json" in given.options),
)
