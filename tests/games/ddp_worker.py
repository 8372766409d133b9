"""One round of a game over N processes; saves its gradients. Lightning starts the other ranks itself."""

import sys
import warnings
from functools import partial

import torch

warnings.simplefilter("ignore")
from forger.data.images import digits  # noqa: E402
from forger.data.loader import Batches  # noqa: E402
from forger.games.adversarial import AdversarialGame  # noqa: E402
from forger.games.base import Player  # noqa: E402
from forger.losses import adversarial as losses  # noqa: E402
from forger.losses.penalties import R1  # noqa: E402
from forger.networks import mlp  # noqa: E402
from games.training import train  # noqa: E402


class Ranked(Batches):
    """Batches that learn their rank when training begins, as `forger.run` tells them."""

    def __iter__(self):
        self._rank, self._world = ranks()
        return super().__iter__()


def ranks():
    initialized = torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if initialized else (0, 1)


def main(path: str, world: int, loss: str, rounds: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    G, D = mlp.Generator(8, [1, 8, 8], 32, classes=10), mlp.Discriminator([1, 8, 8], 32, classes=10)
    adam = partial(torch.optim.Adam, lr=1e-3)
    game = AdversarialGame(
        G,
        D,
        getattr(losses, loss),
        {"discriminator": Player(adam), "generator": Player(adam)},
        8,
        {"r1": R1(1.0)},
    )
    batches = Ranked(digits().train, batch_size=64, seed=0, position=lambda: 0)
    train(game, batches, rounds, strategy="ddp" if world > 1 else "auto", devices=world)
    gradients = {name: parameter.grad for name, parameter in game.named_parameters()}
    weights = {name: parameter.detach() for name, parameter in game.named_parameters()}
    if ranks()[0] == 0:
        torch.save({"gradients": gradients, "weights": weights, "shown": game.shown}, path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
