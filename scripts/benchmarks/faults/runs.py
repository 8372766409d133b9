"""Kills, damages and starves runs, takes each to its end, and compares it with an undisturbed one, bit by bit.

    python -m scripts.benchmarks.faults.runs                       everything; writes docs/results/faults.md
    python -m scripts.benchmarks.faults.runs --kills 1 --only A,B  fewer kills, these experiments
    python -m scripts.benchmarks.faults.runs --json                prints the findings and writes nothing

Each run is a process of its own, forked from one that has imported everything, and each kill a real SIGKILL: once a
random number of rows is there, or at the moment at which a checkpoint's temporary file is. Sweeps are disturbed by
`sweeps.py`, whose findings stay as they are.
"""

import argparse
import importlib
import json
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from PIL import Image

from forger import augmentation, data, games, losses, metrics, networks, pictures
from forger.callbacks.checkpoint_files import BadCheckpoint, VerifiedCheckpointIO
from forger.files import read_rows
from forger.lifecycle.restore import restored
from forger.run_folder import RunFolder
from scripts.benchmarks import pages
from scripts.benchmarks.faults.disturbing import (
    different,
    evidence,
    finish,
    folder_of,
    having,
    in_child,
    killed,
    small_files_only,
    spoil,
    start,
    unfinished,
    wait_for_folder,
    while_saving,
)
from scripts.benchmarks.faults.recipes import MEASURED, OTHERS, small_in

#: Of forger, what a run imports once its config asks for it.
PARTS = (augmentation, data, games, losses, metrics, networks, pictures)


def import_everything() -> None:
    """Import what any experiment will, so that no process has to."""
    for part in PARTS:
        for module in pkgutil.walk_packages(part.__path__, f"{part.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("sklearn.datasets")  # holds the digits
    Image.init()


class Trial:
    """One experiment: an undisturbed run, and others to compare with it."""

    def __init__(self, experiment: str, work: Path, chance: random.Random) -> None:
        self.experiment, self.work, self.chance = experiment, work / experiment, chance
        self.work.mkdir(parents=True)
        self.log = self.work / "log.txt"
        self.number = 0
        assert finish(self.config(self.work / "undisturbed"), self.log) == 0, self.log.read_text()
        undisturbed = folder_of(self.work / "undisturbed")
        self.expected, self.rows = evidence(undisturbed), len(read_rows(undisturbed.metrics_file))

    def config(self, root: Path) -> Any:
        return small_in(self.experiment, root)

    def fresh(self) -> Path:
        self.number += 1
        return self.work / f"run{self.number}"

    def kills(self, count: int, *, saving: bool) -> dict[str, Any]:
        """A run that is killed so often, each time farther on or while it saves, taken to its end."""
        root, done, torn = self.fresh(), 0, 0
        config = self.config(root)
        for left in range(count, 0, -1):
            process = start(config, self.log)
            place = wait_for_folder(root, process)
            if place is None:
                break
            before, rows = unfinished(place), len(read_rows(place / "metrics.jsonl"))
            farthest = rows + max(1, (self.rows - rows) // left)
            moments = (
                [while_saving(place, skip) for skip in range(2)]
                if saving
                else [having(place, more) for more in range(rows, farthest)]
            )
            if not killed(process, self.chance.choice(moments)):
                break
            done += 1
            torn += not unfinished(place) <= before
        code = finish(config, self.log)
        differing = different(self.expected, evidence(folder_of(root))) if code == 0 else [f"exit code {code}"]
        return {"experiment": self.experiment, "kills": done, "in_a_save": torn, "different": differing}

    def interrupted(self) -> Path:
        """A run that was killed when there were two checkpoints."""
        root = self.fresh()
        process = start(self.config(root), self.log)
        assert killed(process, lambda: time.sleep(0.001) or any(root.glob("*/*/checkpoints/previous.ckpt")))
        return root

    def damage(self, name: str, also: str | None = None) -> dict[str, Any]:
        """What becomes of a run whose newest checkpoint (and the one before) are damaged."""
        root = self.interrupted()
        folder = next(root.glob("*/*/checkpoints"))
        how = [spoil(folder / f"{each}.ckpt", self.chance) for each in (name, also) if each]
        self.log.write_text("")
        code = finish(self.config(root), self.log)
        log = self.log.read_text()
        named = f"{name}.ckpt: damaged" in log and (also is None or f"{also}.ckpt" in log)
        if also:
            fine = code == 2 and named and (folder / f"{name}.ckpt").exists()
            outcome = "refused by name" if fine else "lost"
        else:
            fine = code == 0 and named and not different(self.expected, evidence(folder_of(root)))
            outcome = "recovered, identical" if fine else "lost"
        return {"experiment": self.experiment, "what": [name, also], "how": how, "outcome": outcome}

    def damage_asked(self, name: str) -> dict[str, Any]:
        """What becomes of a finished run whose checkpoint is asked for by name."""
        root = self.fresh()
        shutil.copytree(self.work / "undisturbed", root)
        run = folder_of(root)
        file = run.checkpoints / f"{name}.ckpt"
        how = spoil(file, self.chance)
        outcome = in_child(lambda: refusal(run, name, file))
        return {"experiment": self.experiment, "what": [name], "how": [how], "outcome": outcome}

    def disk_full(self) -> dict[str, Any]:
        """What becomes of a run that can't write another checkpoint for a while."""
        root = self.interrupted()
        run, config = folder_of(root), self.config(root)
        size = (run.checkpoints / "last.ckpt").stat().st_size
        before = (run.checkpoints / "last.ckpt").read_bytes()
        self.log.write_text("")
        code = finish(config, self.log, lambda: small_files_only(size // 2))
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("forger: ")]
        kept = (run.checkpoints / "last.ckpt").read_bytes() == before
        again = finish(config, self.log)
        same = again == 0 and not different(self.expected, evidence(folder_of(root)))
        fine = code == 1 and kept and same and len(lines) == 1 and "Traceback" not in self.log.read_text()
        return {
            "experiment": self.experiment,
            "limit": "a limit on file sizes",
            "line": lines[0][:120] if lines else "",
            "kept": fine,
        }

    def disk_full_in_earnest(self) -> dict[str, Any] | None:
        """The same on a file system that is full; None where none may be mounted."""
        root = self.fresh()
        root.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", root], capture_output=True).returncode:
            return None
        try:
            config = self.config(root / "runs")
            process = start(config, self.log)
            assert killed(process, lambda: time.sleep(0.001) or any(root.glob("runs/*/*/checkpoints/previous.ckpt")))
            run = folder_of(root / "runs")
            filling = os.statvfs(root)
            (root / "filling").write_bytes(b"x" * max(0, filling.f_bavail * filling.f_frsize - 200_000))
            self.log.write_text("")
            code = finish(config, self.log)
            lines = [line for line in self.log.read_text().splitlines() if line.startswith("forger: ")]
            whole = VerifiedCheckpointIO().load_checkpoint(run.checkpoints / "last.ckpt")["clock"]["images"] > 0
            (root / "filling").unlink()
            again = finish(config, self.log)
            same = again == 0 and not different(self.expected, evidence(run))
            fine = code == 1 and whole and same and len(lines) == 1
            return {
                "experiment": self.experiment,
                "limit": "a full tmpfs",
                "line": lines[0][:120] if lines else "",
                "kept": fine,
            }
        finally:
            subprocess.run(["umount", root], check=True)


def refusal(run: RunFolder, name: str, file: Path) -> str:
    """How a damaged checkpoint that is asked for by name is taken."""
    try:
        restored(run.path, name)
    except BadCheckpoint as error:
        return "refused by name" if str(file) in str(error) else "lost"
    return "lost"


def dead_rank(work: Path) -> dict[str, Any]:
    """What becomes of a run of two processes, one of which is killed; then one process takes it to its end."""
    work.mkdir()
    small = ["budget.images=25600", "checkpoint.every_images=640", "metrics=none", "watch.action=none", "logger=none"]
    line = [sys.executable, "-m", "forger", "train", "model.generator.width=8", *small]
    with (work / "log.txt").open("w") as log:
        process = subprocess.Popen([*line, "trainer=ddp_cpu"], cwd=work, stderr=log)
        while not any(work.glob("runs/*/*/checkpoints/previous.ckpt")):
            time.sleep(0.05)
            assert process.poll() is None, (work / "log.txt").read_text()
        (other,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[:1]
        os.kill(int(other), signal.SIGKILL)
        began = time.monotonic()
        code = process.wait(timeout=120)
        seconds = time.monotonic() - began
    lines = [line for line in (work / "log.txt").read_text().splitlines() if line.startswith("forger: ")]
    run = folder_of(work / "runs")
    saved = VerifiedCheckpointIO().load_checkpoint(run.checkpoints / "last.ckpt")["clock"]["images"]
    again = subprocess.run([*line, "trainer=cpu"], cwd=work, capture_output=True, text=True, timeout=300)
    said = "devices 2 → 1" in again.stderr
    return {
        "code": code,
        "seconds": round(seconds, 1),
        "line": lines[-1][:160] if lines else "",
        "saved": saved,
        "status_after": run.read().status,
        "said_that_bits_differ": said,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=8, help="per experiment")
    parser.add_argument("--damages", type=int, default=20)
    parser.add_argument("--only", default=",".join([*MEASURED, *OTHERS]))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the findings, write nothing")
    parser.add_argument("--no-ranks", action="store_true", help="leave out the dead rank")
    options = parser.parse_args()
    torch.set_num_threads(1)
    import_everything()
    findings = measure(options)
    if options.json:
        print(json.dumps(findings))
        return
    pages.publish("faults", {**findings, "sweep": pages.known("faults")["sweep"]})


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that happened."""
    chance = random.Random(options.seed)
    findings: dict[str, Any] = {"kills": [], "damages": [], "disk": [], "rank": None, "seed": options.seed}
    experiments = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="forger-faults-") as name:
        work = Path(name)
        for number, experiment in enumerate(experiments):
            trial = Trial(experiment, work, chance)
            # Where there is one kill each, experiments take turns in how it is aimed.
            half = (options.kills + number % 2) // 2
            for count, saving in ((options.kills - half, False), (half, True)):
                if count:
                    findings["kills"].append(trial.kills(count, saving=saving))
            share = options.damages // len(experiments) + (number < options.damages % len(experiments))
            for kind in range(share):
                findings["damages"].append(damaged(trial, kind + number))
            if number == 0 and options.damages:
                findings["disk"] = [trial.disk_full(), trial.disk_full_in_earnest()]
            print(experiment, file=sys.stderr, flush=True)
            shutil.rmtree(trial.work)
        if not options.no_ranks:
            findings["rank"] = dead_rank(work / "ranks")
    return findings


def damaged(trial: Trial, kind: int) -> dict[str, Any]:
    """One damage of each kind in turn."""
    if kind % 4 == 0 or kind % 4 == 2:
        return trial.damage("last")
    if kind % 8 == 1:
        return trial.damage("last", "previous")
    best = "best" if "best.ckpt state_dict" in trial.expected and kind % 8 == 3 else "final"
    return trial.damage_asked(best)


if __name__ == "__main__":
    main()
