"""Lightning callbacks of the user's: every hook that a run has comes, and what it can't offer is refused by name."""

import csv
from collections import Counter
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback

from forger.errors import ConfigError
from forger.files import read_rows
from running import trained

LIGHTNINGS = "pytorch_lightning.callbacks."
#: Ten rounds of two players, scores after the fifth and the tenth.
GAME = ("model=gan", "data.classes=0", "metrics=digits", "metrics.n=64", "+model.players.generator.clip=0.5")


class Onlooker(Callback):
    """Counts the hooks that come, and keeps what it is shown."""

    seen: "Onlooker"

    def __init__(self) -> None:
        Onlooker.seen = self
        self.calls: Counter[str] = Counter()
        self.optimizers: list[Any] = []
        self.losses: list[torch.Tensor] = []
        self.steps: list[int] = []
        self.metrics: list[dict[str, float]] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        assert batch["image"].shape[0] == 64
        self.calls["on_train_batch_start"] += 1

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps.append(trainer.global_step)

    def on_before_zero_grad(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.calls["on_before_zero_grad"] += 1

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: torch.Tensor) -> None:
        self.losses.append(loss.detach())

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        self.calls["on_after_backward"] += 1

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        assert isinstance(optimizer, torch.optim.Optimizer)
        assert all(p.grad is not None for group in optimizer.param_groups for p in group["params"])
        self.optimizers.append(optimizer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self.calls["on_validation_start"] += 1

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.metrics.append({name: float(value) for name, value in trainer.callback_metrics.items()})


ONLOOKER = f"+callbacks.onlooker._target_={__name__}.Onlooker"


def test_every_move_goes_through_lightnings_own_calls_and_has_the_same_bits(tmp_path):
    plain = trained(tmp_path / "plain", *GAME)
    watched = trained(tmp_path / "watched", *GAME, ONLOOKER)
    assert watched.read().weights_sha256 == plain.read().weights_sha256
    seen = Onlooker.seen
    assert seen.calls == {
        "on_train_batch_start": 10, "on_before_zero_grad": 20, "on_after_backward": 20, "on_validation_start": 2,
    }  # fmt: skip
    assert seen.steps == list(range(2, 21, 2))
    assert len(seen.losses) == len(seen.optimizers) == 20
    assert seen.optimizers[0] is seen.optimizers[2] is not seen.optimizers[1]
    rows = read_rows(watched.metrics_file)
    terms = [
        sum(v for k, v in row.items() if k.startswith("train/")) for row in rows if "train/generator/adversarial" in row
    ]
    losses = [float(d + g) for d, g in zip(seen.losses[::2], seen.losses[1::2], strict=True)]
    assert losses == pytest.approx(terms, rel=1e-5)
    scores = [row for row in rows if "score/fd_digits" in row]
    assert [shown["score/fd_digits"] for shown in seen.metrics] == pytest.approx(
        [row["score/fd_digits"] for row in scores]
    )
    assert all(shown["fd_digits"] == shown["score/fd_digits"] for shown in seen.metrics)
    assert {"train/generator/adversarial", "watch/generator_gradient"} <= set(seen.metrics[0])


def test_the_rates_of_every_row_are_logged(tmp_path):
    monitor = "+callbacks.rates._target_=pytorch_lightning.callbacks.LearningRateMonitor"
    run = trained(tmp_path, *GAME, monitor, "logger=csv", "log.every=2", "metrics=none")
    with (run.path / "csv/version_0/metrics.csv").open() as file:
        rates = [row for row in csv.DictReader(file) if row["lr-Adam"]]
    # At the start, and in every second round: before it, as it is for Lightning.
    assert [int(row["step"]) for row in rates] == [0, 1, 3, 5, 7, 9]


@pytest.mark.parametrize("monitor", ["fd_digits", "score/fd_digits"])
def test_stopping_early_on_a_score(monitor, tmp_path, capsys):
    stop = f"{{_target_: {LIGHTNINGS}EarlyStopping, monitor: {monitor}, patience: 2, mode: max, min_delta: 1e9}}"
    overrides = (*GAME, f"+callbacks.stop={stop}", "budget.images=64000", "metrics.every_images=64")
    run = trained(tmp_path, *overrides)
    # The first score is the best, since none is better by that much; the next two end it.
    assert (run.read().status, run.read().iterations) == ("finished", 3)
    assert "ended by a callback at 192 images" in capsys.readouterr().err
    assert "fd_digits" in run.read().scores["final"]


class Waiting(Callback):
    def on_validation_batch_end(self, *_: Any, **__: Any) -> None: ...


@pytest.mark.parametrize(
    ("node", "more", "said"),
    [
        (f"{{_target_: {LIGHTNINGS}ModelCheckpoint}}", (), "ModelCheckpoint can't be offered: a run keeps its own"),
        (f"{{_target_: {LIGHTNINGS}RichProgressBar}}", (), "draws its own bar"),
        (f"{{_target_: {LIGHTNINGS}StochasticWeightAveraging, swa_lrs: 0.1}}", (), "average of its own"),
        (f"{{_target_: {LIGHTNINGS}GradientAccumulationScheduler, scheduling: {{0: 2}}}}", (), "data.batch_size"),
        (f"{{_target_: {LIGHTNINGS}LearningRateMonitor}}", (), "needs a logger"),
        (f"{{_target_: {LIGHTNINGS}LearningRateMonitor, logging_interval: epoch}}", ("logger=csv",), "one epoch"),
        (f"{{_target_: {LIGHTNINGS}EarlyStopping, monitor: fd_digts}}", (), "did you mean 'fd_digits'"),
        (
            f"{{_target_: {LIGHTNINGS}EarlyStopping, monitor: fd_digits}}",
            ("metrics.every_images=null",),
            "there is none",
        ),
        (
            f"{{_target_: {LIGHTNINGS}EarlyStopping, monitor: fd_digits, check_on_train_epoch_end: true}}",
            (),
            "one epoch",
        ),
        (f"{{_target_: {__name__}.Waiting}}", (), "Waiting can't be offered: on_validation_batch_end never"),
    ],
)
def test_what_can_not_be_offered_is_refused_by_name_at_the_start(node, more, said, tmp_path, capsys):
    with pytest.raises(ConfigError, match=r"callbacks\.mine: ") as caught:
        trained(tmp_path, *GAME, f"+callbacks.mine={node}", *more)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "training" not in capsys.readouterr().err
