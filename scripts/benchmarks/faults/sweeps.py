"""Kills the processes of a sweep at random, gives the same command again, and looks at what has come of it.

    python -m scripts.benchmarks.faults.sweeps                 one sweep of 20 trials with two workers, 16 kills
    python -m scripts.benchmarks.faults.sweeps --seeds 0 1 2 --publish     three; writes docs/results/faults.md

Trials are real: `digits_gan`, a few hundred rounds. Real SIGKILLs hit runs, workers, the processes that runs are forked
from, and once the command itself, which is given again at once. Runs that were hit are compared, bit by bit, with the
same settings trained undisturbed. Needs /proc.
"""

import argparse
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from optuna.trial import TrialState

from forger.files import read_rows
from forger.run_folder import RunFolder
from forger.sweeps.definition import load
from forger.sweeps.study import TrialQueue, slot
from scripts.benchmarks import pages
from scripts.benchmarks.composing import composed
from scripts.benchmarks.faults.disturbing import different, evidence, finish, folder_of

_TAG = "FORGER_FAULTS"
BUDGET, CHECKPOINT = 64 * 300, 64 * 30
FILE = f"""\
objective: {{fd_digits: minimize}}
overrides:
  - experiment=digits_gan
  - logger=none
  - budget.images={BUDGET}
  - checkpoint.every_images={CHECKPOINT}
  - metrics.every_images={64 * 150}
  - metrics.n=64
  - samples.every_images={64 * 150}
  - samples.n=9
  - samples.closing=[]
  - log.every=1
space:
  model.players.generator.optimizer.lr: tag(log, interval(1e-4, 3e-3))
  model.players.discriminator.optimizer.lr: tag(log, interval(1e-4, 3e-3))
  model/loss: choice(non_saturating, minimax)
sampler: random
heartbeat: 2
"""
#: How often each kind of process is aimed at, relative to the others.
_AIM = {"run": 5, "worker": 3, "server": 1}


class Family(threading.Thread):
    """Every process that the commands of a sweep ever had, found by a variable in their environment."""

    def __init__(self, tag: str) -> None:
        super().__init__(daemon=True)
        self.tag = f"{_TAG}={tag}".encode()
        #: Kind by process id and start.
        self.seen: dict[tuple[int, str], str] = {}

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        for entry in Path("/proc").glob("[0-9]*"):
            about = _about(int(entry.name))
            if about is None or (key := (int(entry.name), about[2])) in self.seen:
                continue
            try:
                environment, line = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if self.tag in environment.split(b"\0"):
                self.seen[key] = self._kind(line.split(b"\0"), about[1])

    def _kind(self, words: list[bytes], parent: int) -> str:
        if b"forger.sweeps.warm" in words:
            # A run is forked from a server, and has its command line.
            return "run" if "server" in {kind for (pid, _), kind in self.seen.items() if pid == parent} else "server"
        if b"sweep" in words:
            return "worker" if b"worker" in words else "command"
        return "run" if b"train" in words else "other"

    def alive(self) -> list[tuple[int, str]]:
        """Process and kind of those that are still there, as zombies too."""
        self.look()
        return [(pid, kind) for (pid, start), kind in list(self.seen.items()) if (_about(pid) or "???")[2] == start]


def _about(pid: int) -> tuple[str, int, str] | None:
    """State, parent and start of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), fields[19]


@dataclass
class Hit:
    """A run at the moment at which it was killed: how far it was, and how often it had been continued."""

    folder: Path
    images: int
    saved: bool
    continued: int


class Sweep:
    """A sweep in a folder, its command, and what is done to it."""

    def __init__(self, work: Path, trials: int, seed: int) -> None:
        folder = work / "conf" / "sweep"
        folder.mkdir(parents=True)
        (folder / "killed.yaml").write_text(FILE)
        self.typed = [str(folder / "killed.yaml"), f"run.root={work}/runs", f"sweep.trials={trials}"]
        self.definition = load(self.typed[0], [*self.typed[1:], f"sweep.seed={seed}"])
        self.typed.append(f"sweep.seed={seed}")
        self.work, self.trials, self.chance = work, trials, random.Random(seed)
        self.environment = {**os.environ, _TAG: uuid.uuid4().hex}
        self.family = Family(self.environment[_TAG])
        self.kills: Counter[str] = Counter()
        self.hits: list[Hit] = []
        self.given = 0

    def start(self) -> "subprocess.Popen[bytes]":
        self.given += 1
        command = [sys.executable, "-m", "forger", "sweep", "run", *self.typed, "-w", "2"]
        with (self.work / "said.txt").open("ab") as file:
            return subprocess.Popen(command, env=self.environment, stdout=file, stderr=file)

    def disturb(self, kills: int) -> None:
        """Kill until it was enough, then let the sweep come to its end."""
        self.family.start()
        the_command = self.chance.randrange(kills // 3, kills)
        command = self.start()
        while not list(self.work.glob("runs/*/*/*/metrics.jsonl")):
            time.sleep(0.05)
        while self.kills.total() < kills and command.poll() is None:
            time.sleep(self.chance.uniform(1, 9))
            if self.kills.total() == the_command and not self.kills["command"]:
                command.kill()
                command.wait()
                self.kills["command"] += 1
                command = self.start()
                continue
            (kind,) = self.chance.choices(list(_AIM), list(_AIM.values()))
            found = [pid for pid, its in self.family.alive() if its == kind and (_about(pid) or "Z")[0] != "Z"]
            if found:
                self.kill(self.chance.choice(found), kind)
        while command.wait() != 0 and self.given < 6:
            command = self.start()

    def kill(self, pid: int, kind: str) -> None:
        held = [lock.parent for lock in self.work.glob("runs/*/*/*/.lock") if f"process {pid} on" in lock.read_text()]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[kind] += 1
        for folder in held:
            rows = read_rows(folder / "metrics.jsonl")
            saved = any((folder / "checkpoints" / name).exists() for name in ("last.ckpt", "previous.ckpt"))
            saved = saved and RunFolder(folder).read().status != "finished"
            self.hits.append(Hit(folder, rows[-1]["images"] if rows else 0, saved, len(resumptions(folder))))

    # What has come of it ---------------------------------------------------------------------------------------

    def findings(self, compared: int) -> dict[str, Any]:
        """The sweep after its end."""
        time.sleep(2)
        rows = TrialQueue(self.definition).trials()
        ended = Counter(slot(row) for row in rows if row.state in (TrialState.COMPLETE, TrialState.PRUNED))
        parameters: dict[int, set[str]] = {}
        for row in rows:
            if row.params:
                parameters.setdefault(slot(row), set()).add(json.dumps(row.params, sort_keys=True))
        runs = sorted(path.parent for path in self.work.glob("runs/*/*/*/record.json"))
        records = [RunFolder(run).read() for run in runs]
        resumed = [images for run in runs for images in resumptions(run)]
        again = [self._trained_again(hit) for hit in self.hits if hit.saved]
        victims = list(dict.fromkeys(hit.folder for hit in self.hits if hit.saved))
        sample = self.chance.sample(victims, min(compared, len(victims)))
        return {
            "kills": dict(self.kills),
            "commands": self.given,
            "trials": self.trials,
            "ended": len(ended),
            "ended_twice": sum(count > 1 for count in ended.values()),
            "left_running": sum(row.state == TrialState.RUNNING for row in rows),
            "set_aside": sum(row.user_attrs.get("status") == "failed" for row in rows),
            "other_parameters": sum(len(each) > 1 for each in parameters.values()),
            "runs": len(runs),
            "finished": sum(r.status == "finished" and r.images == BUDGET for r in records),
            "processes_left": [kind for _, kind in self.family.alive()],
            "resumed_at": resumed,
            "trained_again": again,
            "checkpoint_every": CHECKPOINT,
            "compared": {run.name: self._difference(run) for run in sample},
        }

    @staticmethod
    def _trained_again(hit: Hit) -> int | None:
        """Images that a killed run was shown twice; None if it was not continued."""
        later = resumptions(hit.folder)[hit.continued :]
        return hit.images - later[0] if later else None

    def _difference(self, run: Path) -> list[str]:
        """What differs between a run and the same settings trained undisturbed."""
        settings = [text for text in RunFolder(run).read().overrides if not text.startswith("run.")]
        root = self.work / "undisturbed" / run.name
        config = composed(*settings, f"run.root={root}", "run.name=undisturbed")
        code = finish(config, self.work / "undisturbed.txt")
        if code != 0:
            return [f"exit code {code}"]
        return different(evidence(folder_of(root)), evidence(RunFolder(run)))[:5]


def resumptions(run: Path) -> list[int]:
    """At how many images a run was continued, each time."""
    log = run / "log.txt"
    text = log.read_text() if log.exists() else ""
    return [int(images.replace(",", "")) for images in re.findall(r" continuing \S+ at ([\d,]+) images", text)]


def problems(found: dict[str, Any]) -> list[str]:
    """What is not as it must be."""
    trials = found["trials"]
    wrong = {key: found[key] for key in ("ended", "runs", "finished") if found[key] != trials}
    nought = ("ended_twice", "left_running", "set_aside", "other_parameters", "processes_left")
    wrong |= {key: found[key] for key in nought if found[key]}
    if None in found["trained_again"] or max(found["trained_again"], default=0) > CHECKPOINT:
        wrong["trained_again"] = found["trained_again"]
    wrong |= {run: names for run, names in found["compared"].items() if names}
    return [f"{key}: {value}" for key, value in wrong.items()]


def measure(trials: int, kills: int, seed: int, compared: int) -> dict[str, Any]:
    """One sweep, disturbed and looked at."""
    with tempfile.TemporaryDirectory(prefix="forger-sweep-faults-") as name:
        sweep = Sweep(Path(name), trials, seed)
        began = time.monotonic()
        sweep.disturb(kills)
        seconds = round(time.monotonic() - began)
        found = {"seed": seed, "seconds": seconds, **sweep.findings(compared)}
        if wrong := problems(found):
            print((Path(name) / "said.txt").read_text(), file=sys.stderr)
            for number in itertools.islice(sweep.work.glob("runs/*/workers.txt"), 1):
                print(number.read_text(), file=sys.stderr)
            print(f"seed {seed}: {'; '.join(wrong)}", file=sys.stderr, flush=True)
        return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--kills", type=int, default=16)
    parser.add_argument("--compared", type=int, default=4, help="killed runs to be trained undisturbed, too")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--publish", action="store_true", help="write the findings into the results and their page")
    given = parser.parse_args()
    findings = []
    for seed in given.seeds:
        findings.append(measure(given.trials, given.kills, seed, given.compared))
        print(json.dumps(findings[-1]), flush=True)
    if given.publish:
        pages.publish("faults", {**pages.known("faults"), "sweep": findings})
    sys.exit(any(map(problems, findings)))


if __name__ == "__main__":
    main()
