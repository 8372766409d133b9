"""One trial: a run for each seed, watched, pruned, continued."""

import math
import time
from collections.abc import Callable, Mapping

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from forger.records import BrokenRecord
from forger.run_folder import RunFolder
from forger.sweeps import processes, seeds
from forger.sweeps.definition import Definition
from forger.sweeps.outcome import Outcome, outcome_of
from forger.sweeps.rows import Rows
from forger.sweeps.study import TrialQueue
from forger.trial import Membership

_POLL = 0.1
#: How often the worker writes a trial's progress where others can read it, in seconds.
_PROGRESS = 2.0
#: How often in a row a run may be killed before it reaches its next checkpoint; it may be too large for this machine.
_KILLS_WITHOUT_PROGRESS = 5


class WorkerStopping(Exception):
    """The worker has to end; the trial was saved and handed back."""


class Lost(Exception):
    """The trial no longer belongs to this worker."""


class TrialRunner:
    """What a worker does with a trial it holds.

    Args:
        queue: the study.
        trial: that this process claimed.
        starter: of its runs.
        stopping: tells whether the worker is to end.
    """

    def __init__(
        self, queue: TrialQueue, trial: Trial, starter: processes.Starter, stopping: Callable[[], bool]
    ) -> None:
        self.queue = queue
        self.trial = trial
        self.definition: Definition = queue.definition
        self.starter = starter
        self.stopping = stopping
        self.folder = self.definition.root / str(trial.user_attrs["folder"])
        self.parameters = {p.name: p.suggest(trial) for p in self.definition.space}
        self.reported: set[int] = set(queue.study._storage.get_trial(trial._trial_id).intermediate_values)
        self._last_beat = self._noted = 0.0

    def run(self) -> None:
        """Run the seeds that can still win and report the result to the study.

        Raises:
            WorkerStopping: the worker was asked to end; the trial waits for another one.
            Lost: another worker has the trial now.
        """
        results: dict[str, list[float]] = dict(self.trial.user_attrs.get("seeds", {}))
        try:
            for number in range(self.definition.sweep.seeds):
                if str(number) in results:
                    continue
                outcome = self._run_seed(number)
                if outcome.status != "finished":
                    return self._end(outcome)
                results[str(number)] = outcome.values
                self.queue.note(self.trial, "seeds", results)
                if not self._worthwhile(list(results.values())):
                    # Its value is the mean so far; further seeds would not have made it the best.
                    if self.definition.budget not in self.reported:
                        self.trial.report(self._means(results)[0], self.definition.budget)
                    return self.queue.prune(self.trial, "outrun")
        except UpdateFinishedTrialError:
            raise Lost from None
        except Lost:
            raise
        except Exception:  # among them WorkerStopping: whatever it was, another worker can go on at once
            self.queue.hand_back(self.trial)
            raise
        return self.queue.complete(self.trial, self._means(results))

    def _means(self, results: Mapping[str, list[float]]) -> list[float]:
        return [seeds.mean_and_spread(values)[0] for values in zip(*results.values(), strict=True)]

    def _end(self, outcome: Outcome) -> None:
        if outcome.status == "pruned":
            self.queue.prune(self.trial)
        elif outcome.status in ("diverged", "stopped"):
            self._end_badly(outcome.status)
        else:
            self.queue.set_aside(self.trial, outcome.reason)

    def _end_badly(self, status: str) -> None:
        """A bad value, so that the sampler learns to stay away."""
        sweep = self.definition.sweep
        if len(sweep.objective) == 1 and sweep.sampler != "gp":
            # TPE ranks pruned trials after finished ones, and those without a value last.
            step = max(self.reported, default=0) + 1
            self.trial.report(math.nan, step)
            return self.queue.prune(self.trial, status)
        # The Gaussian process and NSGA-II use finished trials only.
        done = [row for row in self.queue.trials() if row.state == TrialState.COMPLETE]
        bad = []
        for index, direction in enumerate(sweep.objective.values()):
            values = [row.values[index] for row in done] or [0.0]
            reach = max(max(values) - min(values), 1.0)
            bad.append(max(values) + reach if direction == "minimize" else min(values) - reach)
        return self.queue.complete(self.trial, bad, status)

    def _worthwhile(self, values: list[list[float]]) -> bool:
        """Whether this candidate's next seed could still make it the best (of one objective)."""
        wanted = self.definition.sweep.seeds
        if len(values) == wanted or len(self.definition.objective) > 1:
            return True
        (direction,) = self.definition.objective.values()
        higher = direction == "maximize"
        rows = [r for r in self.queue.trials() if r.user_attrs.get("seeds")]
        groups = [[value for value, *_ in r.user_attrs["seeds"].values()] for r in rows]
        ended = [r.value for r in rows if r.state == TrialState.COMPLETE and r.value is not None]
        best = (max if higher else min)(ended) if ended else None
        spread = seeds.pooled_spread(groups)
        return seeds.can_still_win([v for v, *_ in values], wanted, best, spread, higher_is_better=higher)

    # One run ------------------------------------------------------------------------------------------------------

    def _run_seed(self, seed: int) -> Outcome:
        """The run of a seed: tried once more if it failed, continued if it was killed as long as it makes progress."""
        failures, in_vain, reached = 0, 0, -1
        while True:
            outcome = self._run(seed)
            if outcome.status not in ("failed", "killed") or outcome.repeats:
                return outcome
            images = self._images(seed)
            failures += outcome.status == "failed"
            in_vain = 0 if images > reached else in_vain + 1
            if failures > 1 or in_vain >= _KILLS_WITHOUT_PROGRESS:
                return outcome
            reached = max(images, reached)

    def _run(self, seed: int) -> Outcome:
        self.folder.mkdir(parents=True, exist_ok=True)
        about = Membership(self.definition.name, self.trial.number, str(self.folder.resolve()), self.parameters)
        about.prune_file.unlink(missing_ok=True)
        self._await_lock(seed)
        output = self.folder / f"output-{seed}.txt"
        begins = output.stat().st_size if output.exists() else 0
        process = self.starter.start(self.arguments(seed), about.environment(), output)
        rows = Rows(lambda: self._run_folder(seed))
        pruned = False
        try:
            while process.poll() is None:
                time.sleep(_POLL)
                self._tend(seed)
                if seed == 0 and self._should_prune(rows):
                    about.prune_file.touch()
                    pruned = True
                    break
        except BaseException:
            processes.stop(process, self._beat)
            raise
        code = processes.stop(process, self._beat) if pruned else process.wait()
        if pruned and code in (143, -15):
            return Outcome("pruned")
        return outcome_of(code, self._run_folder(seed), list(self.definition.objective), output.read_bytes()[begins:])

    def arguments(self, seed: int) -> list[str]:
        """What a run is started with after ``forger train``."""
        definition = self.definition
        chosen = [text for p in definition.space for text in p.overrides(self.parameters[p.name])]
        first = int(definition.run_config.seed)
        own = [] if "seed" in self.parameters else [f"seed={first + seed}"]
        place = [f"run.root={definition.root.parent}", f"run.name={definition.name}/{self.folder.name}"]
        place.append(f"trainer.threads={definition.sweep.threads}")
        return [*definition.config_flags, *definition.overrides, *chosen, *own, *place]

    def _tend(self, seed: int) -> None:
        """Heartbeat and progress of the trial, written while a run goes on."""
        if self.stopping():
            raise WorkerStopping
        if not self._beat():
            raise Lost
        now = time.monotonic()
        if now - self._noted > _PROGRESS:
            self._noted = now
            processes.reap_adopted(self.starter.pids)
            self.queue.note(self.trial, "progress", {"seed": seed, "images": self._images(seed)})

    def _beat(self) -> bool:
        """Write the trial's heartbeat when it is due; False if it no longer belongs to this worker."""
        if (now := time.monotonic()) - self._last_beat <= self.definition.sweep.heartbeat:
            return True
        self._last_beat = now
        return self.queue.beat(self.trial)

    def _await_lock(self, seed: int) -> None:
        """Wait until the run of a killed worker has saved its state and ended."""
        while (folder := self._run_folder(seed)) is not None and folder.locked:
            self._tend(seed)
            time.sleep(_POLL)

    def _should_prune(self, rows: "Rows") -> bool:
        """Report the score at each rung that has been reached; whether the pruner gives the trial up."""
        rungs = self.definition.rungs
        if not rungs or all(rung in self.reported for rung in rungs):
            return False
        (name,) = self.definition.objective
        for row in rows.new():
            if f"score/{name}" not in row:
                continue
            for rung in rungs:
                if rung <= row["images"] and rung not in self.reported:
                    self.reported.add(rung)
                    value = row[f"score/{name}"]
                    self.trial.report(math.nan if value is None else value, rung)
                    if self.trial.should_prune():
                        return True
        return False

    def _run_folder(self, seed: int) -> RunFolder | None:
        """The folder of a seed's run, once it is there."""
        wanted = self.parameters.get("seed", int(self.definition.run_config.seed) + seed)
        for record in sorted(self.folder.glob("*/record.json"), key=lambda path: -path.stat().st_mtime):
            folder = RunFolder(record.parent)
            try:
                if folder.read().seed == wanted:
                    return folder
            except BrokenRecord:
                continue
        return None

    def _images(self, seed: int) -> int:
        """Images shown at a run's last checkpoint."""
        folder = self._run_folder(seed)
        try:
            return 0 if folder is None else folder.read().images
        except BrokenRecord:
            return 0
