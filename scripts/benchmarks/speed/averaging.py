"""The generator's moving average as a share of a training step: forger's, `AveragedModel`'s, and a loop's.

    python -m scripts.benchmarks.speed.averaging [--repeats 5] [--publish]

Each update is timed alone, called again and again, against a step of the game without any; and where it happens, after
the generator's move, when a round has driven the average out of the caches. One thread, in turn; a minute and a half.
"""

import copy
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, timed
from scripts.benchmarks.speed.playing import DCGAN_28, DCGAN_32, MLP_8, Match

DECAY = 0.998
#: Updates in a row, to time one.
_AGAIN = 50


def averaged_model(game: Any) -> Callable[[str], None]:
    """torch's, with the function that its documentation gives for an exponential average, and buffers, too."""

    def average(mean: Tensor, value: Tensor, _: Any) -> Tensor:
        return DECAY * mean + (1 - DECAY) * value

    model = AveragedModel(game.generator, avg_fn=average, use_buffers=True)
    return lambda _: model.update_parameters(game.generator)


def loop(game: Any) -> Callable[[str], None]:
    """A loop over state dicts, as in many repositories."""
    model = copy.deepcopy(game.generator)

    @torch.no_grad()
    def update(_: str) -> None:
        values = game.generator.state_dict()
        for key, mean in model.state_dict().items():
            mean.copy_(mean * DECAY + values[key] * (1 - DECAY))

    return update


#: What to call after the generator's move; forger's is the game's own.
SIDES: dict[str, Callable[[Any], Callable[[str], None]]] = {
    "forger": lambda game: game.after_move,
    "AveragedModel with avg_fn": averaged_model,
    "loop over state_dict": loop,
}


class Timed:
    """A game with one of them.

    Args:
        overrides: of the game.
        side: which.
        rounds: that a turn plays.
    """

    def __init__(self, overrides: tuple[str, ...], side: str, rounds: int) -> None:
        self.match, self.rounds = Match(overrides), rounds
        self.update = SIDES[side](self.match.game)
        self.match.game.after_move = self._after_move
        self.spent = 0.0
        #: Of each turn: the update's share of a step, alone and in its place.
        self.alone: list[float] = []
        self.in_place: list[float] = []

    def _after_move(self, name: str) -> None:
        if name == "generator":
            self.spent += timed(lambda: self.update(name)).cpu

    def turn(self) -> Cost:
        """What an update costs alone."""
        self.spent = 0.0
        step = self.match.play(self.rounds).cpu
        update = per(timed(self._again), _AGAIN)
        rest = step - self.spent / self.rounds
        self.alone.append(update.cpu / rest)
        self.in_place.append(self.spent / self.rounds / rest)
        return update

    def _again(self) -> None:
        for _ in range(_AGAIN):
            self.update("generator")


def main() -> None:
    given = options(__doc__, repeats=5).parse_args()
    torch.set_num_threads(1)
    rows = []
    cases = (("MLP 8×8", MLP_8, 300, "≤ 1%"), ("DCGAN 28×28", DCGAN_28, 10, "≤ 0.15%"),
             ("DCGAN 32×32×3", DCGAN_32, 6, "≤ 0.15%"))  # fmt: skip
    for name, overrides, rounds, goal in cases:
        games = {side: Timed(overrides, side, rounds) for side in SIDES}
        costs = interleaved({side: game.turn for side, game in games.items()}, given.repeats)
        for side, game in games.items():
            rows.append(
                Row(
                    f"EMA of the generator: {side}",
                    f"a training step, {name}",
                    goal if side == "forger" else "",
                    game.alone[-given.repeats :],
                    {side: costs[side]},
                    scale=1e6,
                    unit="µs an update",
                    note=f"alone; in its place {statistics.median(game.in_place[-given.repeats :]):.2%}",
                    percent=True,
                )
            )
    publish("averaging", rows, given)


if __name__ == "__main__":
    main()
