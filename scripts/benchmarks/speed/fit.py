"""A whole `fit` against a bare PyTorch loop, and against Lightning as one uses it first, with the same networks.

    python -m scripts.benchmarks.speed.fit [--repeats 5] [--publish] [--only NAME …]

forger's side is a run as a user starts it: progress bar, CSV logger, record, moving average of the generator,
learning-rate schedule where the model has one, checkpoints and budget, all at their intervals in a run of the default
length; scores and pictures are left out, and the watch for the larger games: they have rows of their own
(`upkeep.py`). The bare loop is tuned (fused Adam, data on the device, fakes made once a round, D frozen in G's step,
the same memory format, algorithms as fast as torch has them) and does nothing else. forger's runs are deterministic;
what that costs is seen beside them, in runs with `trainer.deterministic=false`. Naive Lightning is a LightningModule
with manual optimisation on a `DataLoader` of a `TensorDataset`: two `self.log` a step, and the default bar, logger
and checkpoints. Counted is everything from the first round to the last. One thread; twenty minutes: the larger the
images, the fewer the turns.
"""

import io
import itertools
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

os.environ["FORCE_COLOR"] = "1"  # the bar is drawn although nobody looks

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, TensorDataset

from forger import building, run
from forger.callbacks.chain import CallbackChain
from forger.callbacks.watching import Watching
from forger.config.schema import TrainerConfig
from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.data.loader import Batches
from forger.data.pixels.ranges import to_float
from forger.randomness import generator
from forger.run_folder import RunFolder
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, ratios, timed
from scripts.benchmarks.speed.playing import config_of

BATCH = 64
COMMON = (
    "logger=csv",
    "trainer.threads=1",
    "metrics=none",
    "samples.every_images=null",
    "checkpoint.every_images=20000",
)


@dataclass(frozen=True)
class Case:
    """Networks, data, rounds of a measurement, its turns at most, whether the watch checks in them, and goals."""

    model: str
    size: int
    channels: int
    rounds: int
    turns: int
    watch: bool
    bare: str
    naive: str | None = None

    @property
    def overrides(self) -> list[str]:
        shape = [f"data.size={self.size}", f"data.channels={self.channels}", "data.classes=0"]
        watch = "watch.every_images=5000" if self.watch else "watch.action=none"
        return [*COMMON, f"model={self.model}", *shape, watch]

    def data(self) -> Data:
        return all_digits() if self.size == 8 else noise(self.size, self.channels)


#: Long enough for a checkpoint after 20,000 images, but for the largest, which has one after its 24 rounds.
CASES = {
    "MLP 8×8, the watch included": Case("gan", 8, 1, 28 * 56, 9, True, "≤ 1.25", "≤ 0.6"),
    "DCGAN 28×28": Case("dcgan", 28, 1, 313, 9, False, "≤ 1.02"),
    "DCGAN 32×32×3": Case("dcgan", 32, 3, 313, 2, False, "≤ 1.02"),
    "DCGAN 64×64×3": Case("dcgan", 64, 3, 24, 2, False, "≤ 1.02"),
}


def all_digits() -> Data:
    """Every digit as training data: 28 rounds an epoch at a batch of 64."""
    whole = digits()
    images = torch.cat([split.arrays["image"] for split in whole.splits.values()])
    return Data("all_digits", Split({"image": images}), whole.validation, whole.test)


def noise(size: int, channels: int, n: int = 640) -> Data:
    """Random pixels: the arithmetic does not care."""
    images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator(0, "noise"))
    split = Split({"image": images})
    return Data("noise", split, split, split)


def _now() -> Cost:
    return Cost(time.process_time(), time.perf_counter())


@contextmanager
def clocked(begins: tuple[type, str], ends: tuple[type, str]) -> Iterator[list[Cost]]:
    """The cost of what lies between two hooks of Lightning: another callback would be another cost."""
    costs: list[Cost] = []
    former = [getattr(*hook) for hook in (begins, ends)]

    def begin(*arguments: Any) -> None:
        former[0](*arguments)
        for observer in getattr(arguments[0], "observers", ()):
            if isinstance(observer, Watching):
                observer.game_signals._reals(
                    torch.device("cpu")
                )  # once in a run, which is longer than what is measured
        costs.append(_now())

    def end(*arguments: Any) -> None:
        now, then = _now(), costs.pop()
        costs.append(Cost(now.cpu - then.cpu, now.wall - then.wall))
        former[1](*arguments)

    setattr(*begins, begin)
    setattr(*ends, end)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield costs
    finally:
        setattr(*begins, former[0])
        setattr(*ends, former[1])


def ours(case: Case, data: Data, *more: str) -> Cost:
    """A round of a whole `fit`."""
    config = config_of([*case.overrides, f"budget.images={BATCH * case.rounds}", *more])
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(name)
        with folder.lock(), clocked((CallbackChain, "on_train_start"), (CallbackChain, "on_train_end")) as costs:
            run.fit(config, data, folder, "0" * 12)
    return per(costs[0], case.rounds)


def bare(case: Case, data: Data) -> Cost:
    """A round of the bare loop."""
    config = config_of(case.overrides)
    game: Any = building.build_game(config)
    G, D, latent = game.generator, game.discriminator, config.model["latent"]
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in (G, D))
    stream = iter(Batches(data.train, batch_size=BATCH, seed=0, position=lambda: 0))
    parameters = list(D.parameters())

    def loop() -> None:
        for batch in itertools.islice(stream, case.rounds):
            real = to_float(batch["image"])
            fake = G(torch.randn(len(real), latent))
            loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
            opt_d.zero_grad()
            loss.backward()
            opt_d.step()
            for parameter in parameters:
                parameter.requires_grad_(False)
            opt_g.zero_grad()
            softplus(-D(fake)).mean().backward()
            opt_g.step()
            for parameter in parameters:
                parameter.requires_grad_(True)

    torch.use_deterministic_algorithms(False)  # which a fit turns on for the whole process
    # Importing Lightning has each step of Adam look for a GPU's driver; a loop without Lightning does not pay for that.
    with patch.dict(os.environ):
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
        return per(timed(loop), case.rounds)


class Naive(LightningModule):
    """The same game as Lightning's tutorial on GANs writes one, its fakes made once a step."""

    def __init__(self, G: torch.nn.Module, D: torch.nn.Module, latent: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.G, self.D, self.latent = G, D, latent

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (self.G, self.D)]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        optimizers: Any = self.optimizers()
        opt_g, opt_d = optimizers
        fake = self.G(torch.randn(len(real), self.latent))
        d_loss = softplus(-self.D(real)).mean() + softplus(self.D(fake.detach())).mean()
        self.log("d_loss", d_loss, prog_bar=True)
        self._step(opt_d, d_loss)
        self.toggle_optimizer(opt_g)
        g_loss = softplus(-self.D(fake)).mean()
        self.log("g_loss", g_loss, prog_bar=True)
        self._step(opt_g, g_loss)
        self.untoggle_optimizer(opt_g)

    def _step(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def on_train_start(self) -> None: ...

    def on_train_end(self) -> None: ...


def naive(case: Case, data: Data) -> Cost:
    """A round of Lightning with its defaults, over real epochs."""
    torch.use_deterministic_algorithms(False)
    config = config_of(case.overrides)
    game: Any = building.build_game(config)
    module = Naive(game.generator, game.discriminator, config.model["latent"])
    images = TensorDataset(to_float(data.train.arrays["image"]))
    loader = DataLoader(images, batch_size=BATCH, shuffle=True, drop_last=True)
    epochs = case.rounds // len(loader)
    with tempfile.TemporaryDirectory() as folder, clocked((Naive, "on_train_start"), (Naive, "on_train_end")) as costs:
        Trainer(accelerator="cpu", max_epochs=epochs, default_root_dir=folder).fit(module, loader)
    return per(costs[0], epochs * len(loader))


def measured(name: str, repeats: int) -> list[Row]:
    """The rows of a case."""
    case = CASES[name]
    data = case.data()
    fast = "trainer.deterministic=false"
    sides: dict[str, Callable[[], Cost]] = {
        "forger": lambda: ours(case, data),
        fast: lambda: ours(case, data, fast),
        "bare": lambda: bare(case, data),
    }
    if case.naive:
        sides["naive Lightning"] = lambda: naive(case, data)
    costs = interleaved(sides, min(repeats, case.turns))
    bare_loop = "bare tuned loop"
    compared = [
        ("forger", "bare", f"a whole fit, {name}", bare_loop, case.bare),
        (fast, "bare", f"a whole fit, {name}, `{fast}`", bare_loop, ""),
        ("forger", "naive Lightning", f"a whole fit, {name}", "naive Lightning", case.naive or ""),
    ]
    return [
        Row(what, other, goal, ratios(costs[side], costs[under]), {each: costs[each] for each in (side, under)})
        for side, under, what, other, goal in compared
        if under in costs
    ]


def main() -> None:
    parser = options(__doc__, repeats=5)
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    given = parser.parse_args()
    building.prepare_torch(TrainerConfig(threads=1))
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    publish("fit", [row for name in given.only for row in measured(name, given.repeats)], given)


if __name__ == "__main__":
    main()
