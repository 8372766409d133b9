"""What forger does on a GPU: speed step by step, several GPUs, many seeds, exact resume, features, whole runs.

    scripts/benchmarks/gpu.sh [FOLDER] [--only PART …] [--data FOLDER]
    scripts/benchmarks/gpu.sh [FOLDER] --device cpu --smallest      that it runs; its figures mean nothing

Each part is a process of its own with a limit of time, so that one that fails or hangs costs its own figures alone;
all of them end within 8 minutes. Nothing is downloaded. FOLDER gets gpu.json and gpu.md, as each part ends, and what
the parts print as PART.log.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from inspect import cleandoc
from pathlib import Path
from typing import Any

import torch

from scripts.benchmarks.markdown import table
from scripts.benchmarks.speed.gpu_parts import PARTS, Place
from scripts.benchmarks.speed.measuring import hardware, versions

#: Seconds for everything, and for the parts; the last has what the others leave.
WHOLE = 465
LIMITS = {"card": 60, "steps": 110, "resume": 75, "seeds": 45, "ddp": 45, "inception": 30, "fashion": 95}
PACKAGES = (
    "torch",
    "torchvision",
    "triton",
    "pytorch-lightning",
    "hydra-core",
    "torchmetrics",
    "torch-fidelity",
    "numpy",
)


def ended(command: Sequence[str], log: Path, limit: float) -> str | None:
    """Run a command with all that it starts; None if it succeeded in time, else one line that says how it failed."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"stopped after {limit:.0f} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"failed ({code}): {said[-1][:300] if said else 'nothing was said'}" if code else None


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a part's file: it may have been stopped in the middle of one."""
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def page(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    card = next(iter(results["parts"].get("card", {}).get("rows", [])), {})
    name = card.get("card", "unknown card")
    small = (
        " Smallest sizes: this shows that everything runs, and its figures mean nothing." if results["smallest"] else ""
    )
    packages = ", ".join(f"{package} {number}" for package, number in results["versions"].items())
    text = [
        f"# forger on {card.get('cards', 1)} × {name}\n",
        f"{results['hardware']}; {packages}; {results['date']}, {results['seconds']:.0f} s.{small}\n",
    ]
    for part, found in results["parts"].items():
        text += [f"## {part}\n", f"{cleandoc(PARTS[part].__doc__ or '')}\n", f"{found['seconds']:.0f} s.\n"]
        text += [f"**{found['problem']}**\n"] if found["problem"] else []
        rows = found["rows"]
        if rows:
            head = list(dict.fromkeys(column for row in rows for column in row))
            text.append(table(head, [[shown(row.get(column)) for column in head] for row in rows]))
    return "\n".join(text)


def shown(value: Any) -> str:
    """A cell."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def play(place: Place, part: str) -> None:
    """One part, in this process; each row is in its file as soon as it is known."""
    with (place.folder / f"{part}.jsonl").open("w", buffering=1) as file:
        PARTS[part](place, lambda row: print(json.dumps(row), file=file))


def skipped(rows: list[dict[str, Any]]) -> str | None:
    """Why a part had nothing to do here."""
    return next((f"skipped: {row['skipped']}" for row in rows if "skipped" in row), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="runs/gpu", type=Path, help="for the results (runs/gpu)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--smallest", action="store_true", help="smallest sizes, one turn each")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--data", help="a folder with Fashion-MNIST's files")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        play(Place(given.device, given.smallest, given.folder.resolve(), given.data), given.part)
        return
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; `--device cpu --smallest` shows that all of it runs")
    # Whoever ends this ends the part that runs, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    given.folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "hardware": "", "device": given.device, "smallest": given.smallest, "date": str(date.today()),
        "versions": {"Python": platform.python_version(), **versions(*PACKAGES)}, "seconds": 0.0, "parts": {},
    }  # fmt: skip
    results["hardware"] = hardware()
    options = [str(given.folder), "--device", given.device]
    options += ["--smallest"] if given.smallest else []
    options += ["--data", given.data] if given.data else []
    for part in given.only:
        left = WHOLE - (time.monotonic() - began)
        started, file = time.monotonic(), given.folder / f"{part}.jsonl"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "scripts.benchmarks.speed.gpu", *options, "--part", part]
        limit = min((3 if given.smallest else 1) * LIMITS.get(part, left), left)
        problem = ended(command, given.folder / f"{part}.log", limit) if left > 0 else "no time was left for it"
        rows = rows_of(file)
        problem = problem or skipped(rows)
        rows = [row for row in rows if "skipped" not in row]
        seconds = time.monotonic() - started
        results["parts"][part] = {"seconds": seconds, "problem": problem, "rows": rows}
        results["seconds"] = time.monotonic() - began
        print(f"{part}: {problem or 'done'} ({seconds:.0f} s, {len(rows)} rows)", flush=True)
        (given.folder / "gpu.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        (given.folder / "gpu.md").write_text(page(results))
    print(given.folder / "gpu.md")


if __name__ == "__main__":
    main()
