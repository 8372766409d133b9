"""The study of a sweep in its storage: slots, of which each ends once however many workers there are.

A sweep of N trials has slots 0 to N - 1. Each row of the study belongs to a slot (user attribute ``slot``);
a slot is open until one of its rows has ended. A row whose worker died (no heartbeat) fails and is followed by
one with the same parameters in the same folder, so that its runs continue from their checkpoints.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from forger.config.explain import one_line
from forger.redaction import redacted
from forger.sweeps.definition import Definition
from forger.sweeps.distinct import Distinct
from forger.sweeps.storage import alone, open_study, patiently, quiet, sampler_of

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class TrialQueue:
    """The study of a definition: created or taken up again.

    Args:
        definition: of the sweep.
        create: make it where there is none.
        only_look: read it as it was begun, without comparing the definition.

    Raises:
        ConfigError: the storage can't be reached, or holds a study of this name with another definition.
    """

    def __init__(self, definition: Definition, *, create: bool = True, only_look: bool = False) -> None:
        self.study = open_study(definition, create, only_look)
        if only_look:
            trials = self.study.user_attrs.get("trials", definition.trials)
            definition = replace(definition, sweep=replace(definition.sweep, trials=trials))
        self.definition = definition
        self._storage = self.study._storage  # the cached one; `RDBStorage` alone would read every row each time
        self._id = self.study._study_id
        self._checked = 0.0

    def trials(self) -> list[FrozenTrial]:
        """Every row there is."""
        return patiently(lambda: self.study.get_trials(deepcopy=False))

    def ended(self) -> int:
        """How many slots have ended: finished, pruned or diverged."""
        return len({slot(row) for row in self.trials() if row.state in _ENDED and slot(row) < self.definition.trials})

    @property
    def given_up(self) -> bool:
        """Whether too many trials failed to try others."""
        aside = sum(row.user_attrs.get("status") == "failed" for row in self.trials())
        return aside > max(3, self.definition.trials // 4)

    def claim(self) -> Trial | None:
        """A trial that now belongs to this process; None if none is free at the moment."""
        if time.monotonic() - self._checked > self.definition.sweep.heartbeat:
            self._checked = time.monotonic()
            with quiet():
                patiently(lambda: optuna.storages.fail_stale_trials(self.study))
        self.fill()
        rows = self.trials()
        taken = {slot(row) for row in rows if row.state in (*_ENDED, TrialState.RUNNING)}
        seen: set[int] = set()
        for row in sorted(rows, key=slot):
            number = slot(row)
            # If two machines filled the same slot at once, all workers use its first row.
            if row.state != TrialState.WAITING or number in taken or number in seen:
                continue
            seen.add(number)
            if number < self.definition.trials and self._taken(row):
                return self._with_candidate(row, number)
        return None

    def _with_candidate(self, row: FrozenTrial, number: int) -> Trial:
        """The trial, whose parameters are chosen; one worker chooses at a time, so that no two choose the same."""
        self.study.sampler = Distinct(sampler_of(self.definition, number), self.definition.space, self.trials, number)
        trial = Trial(self.study, row._trial_id)
        with alone(self.definition, self.study):
            for parameter in self.definition.space:
                parameter.suggest(trial)
        return trial

    def _taken(self, row: FrozenTrial) -> bool:
        # The heartbeat comes first: if this worker dies in between, the row must become stale.
        patiently(lambda: self._storage.record_heartbeat(row._trial_id))  # type: ignore[attr-defined]
        won = patiently(lambda: self._storage.set_trial_state_values(row._trial_id, TrialState.RUNNING))
        if won:
            owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
            patiently(lambda: self._storage.set_trial_user_attr(row._trial_id, "worker", owner))
        return won

    def fill(self) -> None:
        """Give every open slot a row to be taken."""
        if self.study.user_attrs.get("trials") != self.definition.trials:
            self.study.set_user_attr("trials", self.definition.trials)
        rows = self.trials()
        alive = {slot(row) for row in rows if row.state != TrialState.FAIL}
        for number in range(self.definition.trials):
            if number in alive:
                continue
            former = [row for row in rows if slot(row) == number]
            if former and former[-1].user_attrs.get("status") != "failed":
                last = former[-1]
                attributes = {k: v for k, v in last.user_attrs.items() if k in ("slot", "folder", "seeds")}
                parameters = {**last.system_attrs.get("fixed_params", {}), **last.params}
                patiently(lambda p=parameters, a=attributes: self.study.enqueue_trial(p, user_attrs=a))
                continue
            tries = {row.user_attrs.get("folder") for row in former}
            folder = f"{number:04d}" + (f"-{len(tries) + 1}" if tries else "")
            point = self._point(number) if not former else {}
            attributes = {"slot": number, "folder": folder}
            patiently(lambda p=point, a=attributes: self.study.enqueue_trial(p, user_attrs=a))

    def _point(self, number: int) -> dict[str, Any]:
        """What a slot is to try; empty where the sampler says so."""
        match self.definition.sweep.sampler:
            case "grid":
                return self.definition.grid[number]
            case "random":
                return {}
            case _:  # a search begins with the config as it is, so that it ends no worse
                return self.definition.as_it_is if number == 0 else {}

    # A trial that this process holds ----------------------------------------------------------------------------

    def beat(self, trial: Trial) -> bool:
        """Say that the trial is alive; False if it no longer belongs to this process."""
        try:
            self._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
            return self._storage.get_trial(trial._trial_id).state == TrialState.RUNNING
        except KeyError:  # the study has been removed
            return False
        except (StorageInternalError, SQLAlchemyError) as error:
            logging.getLogger(__name__).warning("the storage does not answer (%s)", one_line(str(error), 200))
            return True

    def note(self, trial: Trial, name: str, value: Any) -> None:
        """Keep something beside the trial."""
        patiently(lambda: trial.set_user_attr(name, value))

    def hand_back(self, trial: Trial) -> None:
        """Let another worker, or a later one, go on with the trial."""
        self._unless_lost(lambda: self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING))

    def complete(self, trial: Trial, values: list[float], status: str = "finished") -> None:
        """The trial ended with these values, one for each objective."""
        self._unless_lost(lambda: trial.set_user_attr("status", status))
        self._unless_lost(lambda: self.study.tell(trial, values))

    def prune(self, trial: Trial, status: str = "pruned") -> None:
        """The trial ended early; its last report is its value."""
        self._unless_lost(lambda: trial.set_user_attr("status", status))
        self._unless_lost(lambda: self.study.tell(trial, state=TrialState.PRUNED))

    def set_aside(self, trial: Trial, reason: str) -> None:
        """The trial failed for good; another one takes its slot."""
        self._unless_lost(lambda: trial.set_user_attr("reason", redacted(reason)))
        self._unless_lost(lambda: trial.set_user_attr("status", "failed"))
        self._unless_lost(lambda: self.study.tell(trial, state=TrialState.FAIL))

    @staticmethod
    def _unless_lost(act: Callable[[], Any]) -> None:
        try:
            patiently(act)
        except (optuna.exceptions.UpdateFinishedTrialError, ValueError):
            # The trial was taken over while this process was stopped; its new owner will end it.
            logging.getLogger(__name__).warning("a trial was taken over by another worker")


def slot(row: FrozenTrial) -> int:
    """The slot that a row of the study belongs to."""
    return row.user_attrs.get("slot", 2**31)
