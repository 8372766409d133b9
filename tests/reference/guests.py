"""The peers' networks (`reference.peers`) in forger's game: the same arithmetic by forger's training step."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.losses.adversarial import hinge, non_saturating
from reference.peers import Examples, MimicryDCGAN, MimicrySNGAN, Peer, PyTorchGAN


def halved(player: str, real: Tensor | None, fake: Tensor) -> dict[str, Tensor]:
    """The non-saturating loss with the mean of the discriminator's two terms, as PyTorch-GAN has it."""
    terms = non_saturating(player, real, fake)
    return {name: term / 2 for name, term in terms.items()} if player == "discriminator" else terms


#: The loss, and whether the generator moves first.
RULES: dict[type[Peer], tuple[Callable[..., dict[str, Tensor]], bool]] = {
    PyTorchGAN: (halved, True),
    Examples: (non_saturating, False),
    MimicryDCGAN: (non_saturating, True),
    MimicrySNGAN: (hinge, True),
}


class Guest(nn.Module):
    """A peer's network with forger's interface: labels are ignored, latents shaped, logits are (n,).

    Args:
        network: the peer's, without a final sigmoid.
        shape: of a latent, where it is not (latent,).
        logits: whether what comes out is a number for each image.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...] = (), logits: bool = False) -> None:
        super().__init__()
        self.network, self.shape, self.logits = network, shape, logits

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        out = self.network(x.reshape(len(x), *self.shape) if self.shape else x)
        return out.flatten() if self.logits else out


def game_of(peer: Peer, optimizer: Callable[..., torch.optim.Optimizer] | None = None) -> AdversarialGame:
    """forger's game with the peer's own modules, in the memory format that `forger.run` gives every game.

    Args:
        peer: whose networks; they move with the game.
        optimizer: instead of the peer's, in its fused form.
    """
    loss, generator_first = RULES[type(peer)]
    optimizer = optimizer or partial(torch.optim.Adam, lr=peer.learning_rate, betas=peer.betas, fused=True)
    players = {"discriminator": Player(optimizer), "generator": Player(optimizer, every=peer.n_dis)}
    if generator_first:
        players = dict(reversed(players.items()))
    layers = list(peer.D)
    judging = nn.Sequential(*layers[:-1]) if isinstance(layers[-1], nn.Sigmoid) else peer.D
    G, D = Guest(peer.G, tuple(peer.noise(1).shape[1:])), Guest(judging, logits=True)
    game = AdversarialGame(G, D, loss, players, latent=peer.latent)
    return game.to(memory_format=torch.channels_last)
