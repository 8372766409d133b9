"""`experiment=cifar10_r3gan`, thinner, against the round as its paper has it; batches of the generator's own."""

import copy
import math

import pytest
import torch

from forger.augmentation.adaptive import Adaptive
from forger.building import build_game
from forger.config.schema import validate
from forger.data.pixels.ranges import to_float
from forger.errors import ConfigError
from forger.randomness import Noise, generator
from games.training import train
from reference.r3gan import round_of
from running import composed, trained

THIN = (
    "data.size=16", "data.batch_size=6", "model.generator.width=16", "model.discriminator.width=16",
    "model.generator.max_width=32", "model.discriminator.max_width=32", "metrics=none",
)  # fmt: skip
#: Penalties, augmentation and schedules off.
BARE = (
    "~model.penalties.r1", "~model.penalties.r2", "~model.augmentations", "model.ema.images=1000",
    *(f"model.players.{name}.{what}=null"
      for name in ("discriminator", "generator") for what in ("schedule", "schedules")),
)  # fmt: skip


#: What is annealed, and from where to where.
ENDS = {"gamma": (0.05, 0.005), "lr": (2e-4, 5e-5), "beta2": (0.9, 0.99), "half_life": (0, 5e6), "p": (0, 0.55)}


def half_cosine(share, first, last):
    return first + (last - first) * (1 - math.cos(math.pi * share)) / 2


def thin_game(*overrides):
    game = build_game(validate(composed("experiment=cifar10_r3gan", *THIN, *overrides)))
    with torch.no_grad():  # where the last convolutions of blocks are 0 the others get no gradient
        torch.manual_seed(0)
        for name, weight in game.named_parameters():
            if "reduce" in name:
                weight.normal_(0, 0.05)
    return game


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=lambda share: f"annealed by {share}")
@pytest.mark.parametrize("bare", [False, True], ids=["everything on", "everything off"])
def test_a_move_of_each_player_equals_the_papers(share, bare):
    """Half way through the burn-in γ is 0.0275, β₂ 0.945, the rate 1.25e-4, p 0.275, the half-life 2.5e6 images."""
    overrides = BARE if bare else ()
    game = thin_game(*overrides)
    G, D, average = (copy.deepcopy(m) for m in (game.generator, game.discriminator, game.average.network))
    game.shown = round(share * 20_000_000)
    stream = torch.Generator().manual_seed(3)
    images = torch.randint(256, (12, 3, 16, 16), dtype=torch.uint8, generator=stream)
    labels = torch.randint(10, (12,), generator=stream)
    train(game, [{"image": images, "label": labels}], 1)
    assert (game.iteration, game.shown) == (1, round(share * 20_000_000) + 6)

    now = {"gamma": 0, "lr": 2e-4, "beta2": 0.9, "half_life": 1000, "p": 0} if bare else {
        name: half_cosine(share, *ends) for name, ends in ENDS.items()
    }  # fmt: skip
    ada, real = Adaptive(target=None, p=now.pop("p")), to_float(images)
    of_d, of_g = (torch.randn(6, 64, generator=generator(0, f"latents{of}", 0)) for of in ("", "/generator"))
    round_of(
        G, D, average, (real[:6], labels[:6], of_d), (real[6:], labels[6:], of_g),
        lambda x, what: x if bare else ada(x, Noise(generator(0, f"augment/{what}", 0)), 0), **now,
    )  # fmt: skip
    for own, papers in ((game.discriminator, D), (game.generator, G), (game.average.network, average)):
        for (name, weight), expected in zip(own.named_parameters(), papers.parameters(), strict=True):
            torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")
    before = thin_game(*overrides).discriminator.parameters()
    moved = max((a - b).abs().max().item() for a, b in zip(D.parameters(), before, strict=True))
    assert moved >= 4e-5  # so that 1e-5 tells something


def test_a_generators_own_batch_counts_once_and_both_are_seen(tmp_path):
    """Rounds of 2 × 40 images of 1,100: the clock counts 40, the data are through after 13 rounds."""
    options = ("model=gan", "++model.fresh_batch=true", "data.batch_size=40", "budget.images=400", "metrics=none")
    record = trained(tmp_path, *options).read()
    assert (record.status, record.images, record.iterations) == ("finished", 400, 10)


def test_too_few_images_for_two_batches_are_told_before_work_begins(tmp_path):
    with pytest.raises(ConfigError, match=r"^data.batch_size=600: with model.fresh_batch a round takes twice as"):
        trained(tmp_path, "model=gan", "++model.fresh_batch=true", "data.batch_size=600", "metrics=none")
