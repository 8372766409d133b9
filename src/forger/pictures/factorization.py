"""Closed-form factorisation of a generator's first layer (Shen & Zhou 2021, SeFa)."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from forger.errors import ConfigError
from forger.games.abilities import Samples
from forger.games.sampling.inference import Part
from forger.games.sampling.styles import Mapped

#: Largest share of a layer's answers by which it may differ from an affine function.
_CLOSE = 1e-6


def directions_of(game: Any) -> Tensor:
    """Unit vectors (k, d), float64, along which latents or styles change what the first layer gives, most first.

    Right singular vectors of its matrix A, which are what maximises ‖A n‖ (eq. 5 and 6). The largest entry of each is
    positive. Of a generator with styles A has the rows of all layers that take them.

    Raises:
        ConfigError: the game makes nothing from latents, or of these its first layer is no affine function.
    """
    part = next((part for part in game.parts().values() if part.takes[0] == "z"), None)
    if part is None:
        raise ConfigError(f"its {type(game).__name__} makes nothing from latents, and so has no directions in them")
    network = game.answering(part.network)
    matrix = network.affine().detach() if isinstance(network, Mapped) else _first_layer(game, network, part)
    vectors = torch.linalg.svd(matrix.double().cpu(), full_matrices=False).Vh
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()


def _first_layer(game: Any, network: nn.Module, part: Part) -> Tensor:
    """The matrix (outputs, latent) of the first layer with weights whose outputs depend on z, as what it answers to."""
    network = copy.deepcopy(network).double().eval()
    basis = torch.eye(game.latent, dtype=torch.float64)
    others = -1.5 * basis.cumsum(0)
    z = torch.cat([0 * basis[:1], basis, others]).to(game.device)
    given = [z, *(_labels(game, len(z)))]
    for name, module in network.named_modules():
        if _has_weights(module):
            module.register_forward_hook(_Stop(name))
    try:
        with torch.no_grad():
            part.how(network, *given)
    except _Answered as answered:
        answers = answered.answers.flatten(1)
        matrix = (answers[1 : 1 + game.latent] - answers[0]).T
        wrong = (answers[1 + game.latent :] - answers[0] - others.to(matrix) @ matrix.T).abs().max()
        if wrong <= _CLOSE * matrix.abs().max():
            return matrix
        name = answered.name
    else:
        name = type(network).__name__
    raise ConfigError(f"model.{part.network}: its first layer, {name}, is no affine function of z")


def _labels(game: Any, n: int) -> list[Tensor]:
    """Any labels: of an affine layer they move the constant alone."""
    if isinstance(game, Samples) and game.conditions:
        return [torch.zeros(n, len(game.conditions), device=game.device)]
    if isinstance(game, Samples) and game.classes:
        return [torch.zeros(n, dtype=torch.long, device=game.device)]
    return []


def _has_weights(module: nn.Module) -> bool:
    if isinstance(module, parametrize.ParametrizationList):
        return False
    return parametrize.is_parametrized(module) or any(True for _ in module.parameters(recurse=False))


class _Answered(Exception):
    """A layer answers to latents: what comes after it need not be computed."""

    def __init__(self, name: str, answers: Tensor) -> None:
        super().__init__(name)
        self.name, self.answers = name, answers


class _Stop:
    """A hook that ends the pass at the first layer whose answers are not all the same."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module, given: Any, answers: Any) -> None:
        if isinstance(answers, Tensor) and bool((answers != answers[:1]).any()):
            raise _Answered(self.name, answers)
