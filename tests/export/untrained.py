"""Games as if they had been trained, in no time."""

import torch

from forger.building import build_game
from forger.config.schema import validate
from forger.games.base import Game
from forger.sizes import sides
from running import composed

#: Overrides: conditions in place of a class, networks of few channels and of few layers.
ROWS = "data.classes=[{name: smile, values: [no, yes]}, {name: age, mean: 40, deviation: 12, low: 1, high: 99}]"
THIN, SHALLOW = "model.generator.width=4", "model.generator.blocks=1"


def built(*overrides: str) -> tuple[Game, tuple[int, ...]]:
    """A game as if it had been trained, its averages other than its live weights; the shape of its samples."""
    config = validate(composed(*overrides))
    game, data = build_game(config), config.data
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in game.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=stream), alpha=0.1)
            if name.endswith("running_var"):
                tensor.abs_()
    return game, (data.dimension,) if data.dimension else (data.channels, *sides(data.size))
