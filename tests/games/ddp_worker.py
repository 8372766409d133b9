"""Rounds of many games over N processes; saves gradients, weights and statistics.

One process plays all games in turn: starting one costs more than playing them.
"""

import os
import warnings
from functools import partial
from pathlib import Path

import torch

from forger.augmentation.adaptive import Adaptive
from forger.augmentation.differentiable import DiffAugment
from forger.augmentation.noise import InstanceNoise
from forger.data.dataset import Split
from forger.data.images import digits
from forger.data.loader import Batches
from forger.data.pairs import digits_averaged
from forger.games.adversarial import AdversarialGame
from forger.games.adversarial_autoencoder import AdversarialAutoencoderGame
from forger.games.base import Player
from forger.games.paired import PairedGame
from forger.games.quantised import QuantisedGame
from forger.games.schedules import linear
from forger.games.variational import VariationalGame
from forger.games.variational_adversarial import VariationalAdversarialGame
from forger.games.wasserstein import WassersteinGame
from forger.losses import adversarial as losses
from forger.losses.constraints import clip_weights
from forger.losses.objectives import AuxiliaryClassifier, ContrastiveClassifier, MutualInformation, Orthogonality
from forger.losses.path_length import PathLength
from forger.losses.penalties import DRAGAN, R1, R2, GradientPenalty, ZeroCentered
from forger.losses.regularization import BalancedConsistency, LeCam
from forger.losses.variational import importance_weighted, total_correlation
from forger.networks import mlp, pix2pix, quantised, stylegan2, translation
from forger.networks.autoencoders import MLP
from games.training import train

LOSSES = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic")
PENALTIES = {
    "none": None,
    "r1": R1,
    "r1_lazy": partial(R1, every=2),
    "r2": R2,
    "gradient_penalty": GradientPenalty,
    "zero_centered": ZeroCentered,
    "dragan": DRAGAN,
    "lecam": LeCam,
    "consistency": lambda: BalancedConsistency(DiffAugment()),
}
#: Techniques besides loss and penalty: options of the game and of D's player.
TECHNIQUES = {
    "instance_noise": ({"augmentations": lambda: {"noise": InstanceNoise(0.3)}}, {}),
    "diffaugment": ({"augmentations": lambda: {"diffaugment": DiffAugment()}}, {}),
    "adaptive": ({"augmentations": lambda: {"adaptive": Adaptive(every=1, speed=300, p=0.3)}}, {}),
    "flipped_labels": ({"flip_labels": lambda: 0.3}, {}),
    "fresh_batch": ({"fresh_batch": lambda: True}, {}),
    "acgan": ({"objectives": lambda: {"acgan": AuxiliaryClassifier()}, "classes": lambda: 10}, {}),
    "reacgan": ({"objectives": lambda: {"reacgan": ContrastiveClassifier()}, "classes": lambda: 10}, {}),
    "schedules": (
        {"augmentations": lambda: {"noise": InstanceNoise(partial(linear, budget=192, initial=0.3, final=0.1))}},
        {"schedules": {"momentum": partial(linear, budget=192, initial=0.1, final=0.5)}},
    ),
    "clipped_weights": ({}, {"constraint": partial(clip_weights, bound=0.02)}),
    "clipped_gradients": ({}, {"clip": 0.1}),
}
ROUNDS = 3


class Ranked(Batches):
    """Batches that learn their rank when training begins, as `forger.run` tells them."""

    def __iter__(self):
        self._rank, self._world = ranks()
        return super().__iter__()


def ranks():
    initialized = torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if initialized else (0, 1)


#: Even or odd, and a number.
CONDITIONS = [
    {"name": "even", "values": ["false", "true"]},
    {"name": "digit", "mean": 4.5, "deviation": 2.9, "low": 0, "high": 9},
]


def game(loss, penalty=None, optimizer=None, options=None, player=None, classes=10, told=True):
    torch.manual_seed(0)
    G = mlp.Generator(8, [1, 8, 8], 32, classes=classes)
    D = mlp.Discriminator([1, 8, 8], 32, classes=classes if told else 0)
    # plain descent: Adam would make large steps of what is rounding in a vanishing gradient
    optimizer = optimizer or partial(torch.optim.SGD, lr=0.05)
    players = {"discriminator": Player(optimizer, **(player or {})), "generator": Player(optimizer)}
    built = {name: make() for name, make in (options or {}).items()}
    penalties = {"penalty": penalty()} if penalty else {}
    return AdversarialGame(G, D, getattr(losses, loss), players, 8, penalties, **built)


def with_codes():
    """InfoGAN's codes and coordinates, and orthogonality in every second round."""
    return game("hinge", R1, told=False, options={
        "codes": lambda: 10,
        "objectives": lambda: {"infogan": MutualInformation(coordinates=2), "orthogonal": Orthogonality(0.01, every=2)},
    })  # fmt: skip


def with_styles():
    """A mean of w and a path length, each an average over the ranks; nothing that the layers themselves draw."""
    torch.manual_seed(0)
    G = stylegan2.Generator(8, 8, 1, 4, style=6, depth=1, classes=10, mixing=0.0, max_width=8)
    players = {"discriminator": Player(partial(torch.optim.SGD, lr=0.05))}
    players["generator"] = Player(partial(torch.optim.SGD, lr=1e-3), freeze=["generator.*strength"])
    D, objectives = mlp.Discriminator([1, 8, 8], 32, classes=10), {"path_length": PathLength(every=1)}
    return AdversarialGame(G, D, losses.hinge, players, 8, objectives=objectives, classes=10)


def autoencoder(kind, *discriminator, players=None, **options):
    torch.manual_seed(0)
    network = MLP([1, 8, 8], 4, [16], variational=issubclass(kind, VariationalGame), classes=options.get("classes", 0))
    moving = {"autoencoder": Player(partial(torch.optim.SGD, lr=1e-4)), **(players or {})}
    return kind(network, *discriminator, moving, **options)


def against_a_discriminator():
    """Of codes, and of images."""
    players = {name: Player(partial(torch.optim.SGD, lr=1e-3), networks) for name, networks in
               (("discriminator", []), ("encoder", ["autoencoder.encoder"]))}  # fmt: skip
    torch.manual_seed(1)
    of_codes, of_images = (mlp.Discriminator(shape, 16) for shape in ([4], [1, 8, 8]))
    options = {"adversarial": losses.relativistic}
    yield "adversarial", autoencoder(AdversarialAutoencoderGame, of_codes, players=players, **options)
    players.pop("encoder")
    yield "vae_gan", autoencoder(VariationalAdversarialGame, of_images, players=players, **options)


def with_codebook():
    """Codes that no place has, moved after the second round; without batch norm, which sees each rank's share alone."""
    torch.manual_seed(0)
    network, prior = quantised.Autoencoder(8, 1, codes=16, dimension=3, width=8), quantised.Prior(16, 8)
    network.norm = torch.nn.Identity()
    network.codebook.data[4:] = 100.0
    players = {name: Player(partial(torch.optim.SGD, lr=0.05)) for name in ("autoencoder", "prior")}
    return QuantisedGame(network, prior, players, revive=2)


def paired():
    torch.manual_seed(0)
    G, D = pix2pix.Generator(1, 8, 8, dropout=0.0, norm="none"), translation.Discriminator(2, 8, 1, "none")
    optimizer = partial(torch.optim.SGD, lr=0.01)
    return PairedGame(G, D, losses.hinge, {"discriminator": Player(optimizer), "generator": Player(optimizer)})


def games(combinations):
    for loss, name in combinations:
        yield f"{loss}/{name}", game(loss, PENALTIES[name]), ROUNDS
    for name, (options, player) in TECHNIQUES.items():
        yield f"hinge/{name}", game("hinge", R1, options=options, player=player), ROUNDS
    yield (
        "autoencoder/conditional",
        autoencoder(VariationalGame, bound=importance_weighted, draws=3, classes=10),
        ROUNDS,
    )
    yield "autoencoder/total_correlation", autoencoder(VariationalGame, bound=total_correlation), ROUNDS
    yield "autoencoder/wasserstein", autoencoder(WassersteinGame), ROUNDS
    for name, played in against_a_discriminator():
        yield f"autoencoder/{name}", played, ROUNDS
    yield "autoencoder/codebook", with_codebook(), ROUNDS
    yield "hinge/accumulate", game("hinge", R1), ROUNDS
    yield "hinge/pairs", paired(), ROUNDS
    yield "hinge/conditions", game("hinge", R1, classes=CONDITIONS), ROUNDS
    yield "hinge/codes", with_codes(), ROUNDS
    yield "hinge/styles", with_styles(), ROUNDS
    yield "adam", game("relativistic", R1, partial(torch.optim.Adam, lr=1e-3)), 12


def work(rank: int, path: Path, world: int, port: int, combinations: list[tuple[str, str]]) -> None:
    """What one of ``world`` processes does, with these pairs of loss and penalty; the first one writes the file."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if world > 1:  # Lightning takes it that somebody else has started the processes
        places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": 0, "WORLD_SIZE": world}
        os.environ.update({name: str(value) for name, value in (places | {"LOCAL_RANK": rank}).items()})
    split = digits().train
    digit = split.arrays["label"]
    conditional = Split({**split.arrays, "label": torch.stack([(digit % 2 == 0).float(), digit.float()], 1)})
    splits = {"conditions": conditional, "pairs": digits_averaged(paired=True).train}
    found = {}
    for name, played, rounds in games(combinations):
        if name.endswith("accumulate") and world > 1:
            played.accumulate = 4  # which together with the processes are to do what one does at once
        batches = Ranked(
            splits.get(name.partition("/")[2], split),
            batch_size=64 * played.batches_a_round,
            seed=0,
            position=lambda: 0,
        )
        train(played, batches, rounds, strategy="ddp" if world > 1 else "auto", devices=world)
        found[name] = {
            "gradients": {n: p.grad for n, p in played.named_parameters() if p.grad is not None},
            "weights": {n: p.detach() for n, p in played.named_parameters()},
            "buffers": dict(played.named_buffers()),
            "shown": played.shown,
        }
    if rank == 0:
        torch.save(found, path)
