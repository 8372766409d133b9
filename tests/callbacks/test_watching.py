"""Runs that are watched: what an alarm leaves behind, and what it may not change."""

import os
import shlex
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest

from forger.callbacks.budget import Budget
from forger.callbacks.progress import ProgressBar
from forger.callbacks.watching import HistoryUpdate, interval
from forger.config.schema import BudgetConfig, validate
from forger.files import read_rows
from forger.run_folder import RunFolder
from forger.tracking import loggers as tracking
from forger.tracking.loggers import RunInfo, wandb_logger
from forger.watch.alarms import Alarms, Pattern, Sign
from running import composed, trained

#: A game of fully connected networks whose generator collapses within some thousand images.
COLLAPSE = (
    "model=gan", "model.generator.width=64", "model.discriminator.width=64", "budget.images=16000", "log.every=5",
    "metrics.every_images=8000", "samples.every_images=null", "checkpoint.every_images=4000",
    *(f"model.players.{player}.optimizer.lr=0.01" for player in ("generator", "discriminator")),
    *(f"model.players.{player}.optimizer.betas=[0.9,0.99]" for player in ("generator", "discriminator")),
)  # fmt: skip


def rows(run: RunFolder) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(run.metrics_file)]


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), *COLLAPSE)


def test_a_collapse_rings_with_evidence_and_a_remedy_to_paste(collapsed):
    record = collapsed.read()
    assert record.status == "finished"
    assert record.alerts == read_rows(collapsed.alerts_file)
    alert = next(alert for alert in record.alerts if alert["alarm"] == "mode_collapse")
    assert 0.5 <= alert["confidence"] <= 1
    assert 0 < alert["images"] < 16000
    assert alert["action"] == "warn"
    assert any(sign["value"] < sign["below"] for sign in alert["evidence"]["signals"].values() if "below" in sign)
    assert "mode_collapse" in collapsed.log_file.read_text()
    better = composed(*COLLAPSE, *shlex.split(alert["remedy"]))
    assert better.model != composed(*COLLAPSE).model


def test_signals_are_rows(collapsed):
    checks = [row for row in rows(collapsed) if "watch/vendi_ratio" in row]
    assert len(checks) == 25  # 640 images apart: ten rounds
    assert {"watch/memory_auc", "watch/gradient_ratio", "watch/score_gap", "watch/class_entropy"} <= set(checks[-1])


def test_the_best_and_the_last_score_are_told_with_their_gap(collapsed, capsys):
    best = collapsed.read().scores["best"]["fd_digits"]
    last = [row["score/fd_digits"] for row in rows(collapsed) if "score/fd_digits" in row][-1]
    assert best["last"] == last
    assert best["gap"] == pytest.approx((last - best["value"]) / best["value"])


def test_weights_are_the_same_with_and_without_the_watch(tmp_path, collapsed):
    without = trained(tmp_path, *COLLAPSE, "watch.action=none")
    assert without.read().weights_sha256 == collapsed.read().weights_sha256
    assert without.read().alerts == []
    assert not any("watch/vendi_ratio" in row for row in rows(without))


def test_stop_ends_the_run_with_its_state(tmp_path, capsys):
    run = trained(tmp_path, *COLLAPSE, "watch.action=stop", code=3)
    record = run.read()
    assert record.status == "stopped"
    assert record.alerts[-1]["action"] == "stop"
    assert record.images == record.alerts[-1]["images"] < 16000
    assert (run.checkpoints / "last.ckpt").exists()
    capsys.readouterr()
    trained(tmp_path, *COLLAPSE, "watch.action=stop", code=3)
    assert f"stopped by the watch: {record.alerts[-1]['alarm']}" in capsys.readouterr().err
    assert run.read() == record


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), *COLLAPSE, "watch.action=rollback", "watch.rollbacks=6")


def test_rollback_goes_back_with_the_remedy_and_finishes(rolled_back):
    run, record = rolled_back, rolled_back.read()
    back = [alert for alert in record.alerts if alert["action"] == "rollback"]
    assert record.status == "finished"
    assert record.images == 16000
    assert 1 <= len(back) <= 6
    assert all(alert["images"] < alert["seen_at"]["images"] and alert["changes"] for alert in back)
    clocks = [row["iterations"] for row in rows(run)]
    assert clocks == sorted(clocks)


def test_after_so_many_rollbacks_the_run_stops(tmp_path):
    run = trained(tmp_path, *COLLAPSE, "watch.action=rollback", "watch.rollbacks=0", code=3)
    assert run.read().status == "stopped"


@pytest.mark.parametrize("action", [pytest.param("warn", marks=pytest.mark.long), "rollback"])
def test_an_interrupted_run_writes_the_same_alerts_and_rows(tmp_path, monkeypatch, collapsed, rolled_back, action):
    options = COLLAPSE if action == "warn" else (*COLLAPSE, "watch.action=rollback", "watch.rollbacks=6")
    whole = collapsed if action == "warn" else rolled_back
    feed, times = HistoryUpdate.on_train_batch_end, []

    def interrupting(self, trainer, game, *rest):
        feed(self, trainer, game, *rest)
        if game.iteration in (20, 55, 120) and times.count(game.iteration) == 0:
            times.append(game.iteration)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(HistoryUpdate, "on_train_batch_end", interrupting)
    for _ in range(3):
        run = trained(tmp_path / "cut", *options, code=143)
    run = trained(tmp_path / "cut", *options)
    assert times == [20, 55, 120]
    assert read_rows(run.alerts_file) == read_rows(whole.alerts_file) == run.read().alerts
    assert rows(run) == rows(whole)
    assert run.read().weights_sha256 == whole.read().weights_sha256


DESCENT = "model.players.discriminator.optimizer"
#: Least squares by plain gradient steps that are far too large.
DIVERGING = (
    "model/loss=least_squares", f"{DESCENT}._target_=torch.optim.SGD", f"{DESCENT}.lr=10", f"~{DESCENT}.betas",
    f"~{DESCENT}.fused",
)  # fmt: skip


def test_a_run_that_diverges_rolls_back_too(tmp_path):
    run = trained(tmp_path, *DIVERGING, "watch.action=rollback", "watch.rollbacks=6")
    record = run.read()
    back = [alert for alert in record.alerts if alert["action"] == "rollback"]
    assert (record.status, record.images) == ("finished", 640)
    assert back[0]["alarm"] == "divergence"
    assert back[0]["changes"][f"{DESCENT}.lr"] == 2.5


def test_a_value_that_is_not_finite_is_an_alarm_with_its_name(tmp_path):
    run = trained(tmp_path, *DIVERGING, code=3)
    (alert,) = [alert for alert in run.read().alerts if "tensor" in alert["evidence"]]
    assert run.read().status == "diverged"
    assert (alert["alarm"], alert["confidence"]) == ("divergence", 1.0)
    assert alert["evidence"]["value"] in ("nan", "inf", "-inf")
    assert alert["evidence"]["tensor"]
    assert "optimizer.lr" in alert["remedy"]


@pytest.mark.parametrize(
    ("budget", "batch", "images"),
    [(200_000, 64, 5_000), (3_200, 64, 640), (10**9, 64, 25_000), (None, 64, 25_000), (200_000, 4096, 40_960)],
)
def test_checks_divide_the_budget_and_are_neither_far_apart_nor_close(budget, batch, images):
    config = validate(composed("data=digits", f"data.batch_size={batch}"))
    assert interval(replace(config, budget=BudgetConfig(images=budget))) == images


class Account:
    """Stands in for a W&B run."""

    def __init__(self, fails: bool = False) -> None:
        self.alerts: list[dict] = []
        self.fails = fails

    def alert(self, **alert) -> None:
        if self.fails:
            raise ConnectionError("no network")
        self.alerts.append(alert)


def test_weights_and_biases_gets_an_alert_that_is_throttled_and_never_ends_a_run(tmp_path, caplog):
    logger = wandb_logger(RunInfo(tmp_path, "a" * 12, "run", {}), mode="disabled")
    logger._experiment = account = Account()  # type: ignore[assignment]
    tracking.alert([logger, object()], "forger: mode_collapse", "vendi_ratio 0.2 < 0.65")  # type: ignore[list-item]
    (sent,) = account.alerts
    assert (sent["title"], sent["text"]) == ("forger: mode_collapse", "vendi_ratio 0.2 < 0.65")
    assert sent["wait_duration"] == 300
    logger._experiment = Account(fails=True)  # type: ignore[assignment]
    tracking.alert([logger], "forger: mode_collapse", "again")
    assert "alert not sent (no network)" in caplog.text


def test_the_bar_names_alarms_until_they_recover():
    alarms = Alarms(1, {"mode_collapse": Pattern(((Sign("x", True, 0.5, 0.1),),))})
    bar = ProgressBar(Budget(100), SimpleNamespace(latest={"score/fd": 2.0}), alarms)  # type: ignore[arg-type]
    alarms.check({"watch/x": 0.2})
    assert bar._values() == "fd 2  [bold red]mode_collapse[/]"
    alarms.check({"watch/x": 0.9})
    assert bar._values() == "fd 2"
