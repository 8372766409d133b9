"""Training steps of PyTorch-GAN, pytorch/examples and mimicry against forger's game with the same networks.

    python -m scripts.benchmarks.speed.peers [--repeats 5] [--publish] [--only NAME …]

The peers' steps are restated in `tests/reference/peers.py`: their networks at their sizes, batches of 64, their own
arithmetic of a step, and nothing of what they do besides. They get batches that are floats already. forger's side is
Lightning's `fit` of an `AdversarialGame` with the same modules, losses and learning rates, as `forger.run` drives it
(uint8 data through `Batches`, channels last, fused Adam, D frozen in G's step, fakes made once a round, signals every
20 rounds), in float32 and in bf16-mixed. One thread. A step is a move of the generator with all of the
discriminator's moves that belong to it. mimicry's steps take many seconds and have fewer turns: about six minutes in
all; `--only` chooses.
"""

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from forger.building import prepare_torch
from forger.config.instantiation import built_trainer
from forger.config.schema import TrainerConfig
from forger.data.dataset import Split
from forger.data.loader import Batches, Stream
from forger.data.pixels.ranges import to_float
from forger.games.adversarial import AdversarialGame
from forger.randomness import generator
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, ratios

sys.path.insert(0, str(Path(__file__).parents[3] / "tests"))

from reference.guests import game_of  # pyright: ignore[reportMissingImports]
from reference.peers import PEERS, Peer  # pyright: ignore[reportMissingImports]


class Rounds(Callback):
    """Plays so many rounds and takes the time from the first to the last."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.cost = Cost(0.0, 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        last = pl_module.iteration + self.rounds
        pl_module.pausing = lambda: pl_module.iteration >= last
        self._began = time.process_time(), time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        cpu, wall = self._began
        self.cost = Cost(time.process_time() - cpu, time.perf_counter() - wall)
        trainer.should_stop = True


def pixels(peer: Peer, n: int = 640) -> Tensor:
    """Random uint8 images of the peer's size: the arithmetic does not care."""
    shape = (n, peer.channels, peer.size, peer.size)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator(0, "pixels"))


def theirs(peer: Peer, reals: Iterator[Tensor], steps: int) -> Cost:
    """What a step of the restated loop costs."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(steps):
        peer.step(reals)
    return per(Cost(time.process_time() - cpu, time.perf_counter() - wall), steps)


def ours(
    game: AdversarialGame,
    images: Tensor,
    batch_size: int,
    precision: Any,
    steps: int,
    n_dis: int,
) -> Cost:
    """What the same costs in forger's game."""
    rounds = Rounds(steps * n_dis)
    trainer = built_trainer(
        TrainerConfig(accelerator="cpu", devices=1, precision=precision),
        logger=False,
        max_epochs=-1,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[rounds],
    )
    trainer.fit(game, Stream(Batches(Split({"image": images}), batch_size=batch_size, seed=0, position=lambda: 0)))
    return per(rounds.cost, steps)


@dataclass(frozen=True)
class Case:
    """A peer, the moves of D for one of G, steps of a measurement, its turns at most, goals in float32 and bf16."""

    peer: str
    n_dis: int
    steps: int
    turns: int
    full: str = ""
    half: str = ""


#: mimicry's trainer has one move of D by default and its baselines five, where forger has fewer fakes to save.
CASES = {
    "PyTorch-GAN": Case("PyTorch-GAN", 1, 10, 9, "≥ 1.3", "≥ 2.7"),
    "pytorch/examples": Case("pytorch/examples", 1, 4, 9, "≥ 1.3", "≥ 2.2"),
    "mimicry DCGAN": Case("mimicry DCGAN", 1, 1, 3, "≥ 1.7", "≥ 3.0"),
    "mimicry SNGAN": Case("mimicry SNGAN", 1, 1, 3, "≥ 1.7", "≥ 3.0"),
    "mimicry SNGAN, n_dis 5": Case("mimicry SNGAN", 5, 1, 1),
}


def measured(name: str, repeats: int) -> list[Row]:
    """The two rows of a case."""
    case = CASES[name]
    peer, plain, mixed = (PEERS[case.peer]() for _ in range(3))
    for each in (peer, plain, mixed):
        each.n_dis = case.n_dis
    images = pixels(peer)
    reals = itertools.cycle(to_float(batch).contiguous() for batch in images.split(peer.batch_size))
    full, half = game_of(plain), game_of(mixed)
    full.observe_every = half.observe_every = 20
    shape = {"images": images, "batch_size": peer.batch_size, "steps": case.steps, "n_dis": case.n_dis}
    costs = interleaved(
        {
            name: lambda: theirs(peer, reals, case.steps),
            "forger": lambda: ours(full, precision="32-true", **shape),
            "forger in bf16": lambda: ours(half, precision="bf16-mixed", **shape),
        },
        min(repeats, case.turns),
        warm_up=case.turns > 1,
    )
    rows = []
    for ours_is, goal in (("forger", case.full), ("forger in bf16", case.half)):
        sides = {each: costs[each] for each in (name, ours_is)}
        rows.append(Row(name, ours_is, goal, ratios(costs[name], costs[ours_is]), sides, unit="ms a step"))
    return rows


def main() -> None:
    parser = options(__doc__, repeats=5)
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_torch(TrainerConfig(threads=1))
    rows = [row for name in given.only for row in measured(name, given.repeats)]
    publish("peers", rows, given)


if __name__ == "__main__":
    main()
