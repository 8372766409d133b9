"""CycleGame against a plain PyTorch loop, its image pool, and the terms that choose among translations."""

import copy
import itertools
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from forger.data.loader import Batches
from forger.data.pairs import digits_inverted, digits_rotated
from forger.data.pixels.ranges import to_float
from forger.games.base import Player
from forger.games.cycle import CycleGame, distance_kept, turned
from forger.games.image_pool import ImagePool
from forger.losses import adversarial as losses
from forger.networks import translation
from games.training import train
from reference import cycle as reference
from reference.cycle import pooled
from running import trained

ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.5, 0.999))


def networks(norm="instance"):
    torch.manual_seed(1)
    generators = [translation.Generator(1, 8, 1, 0, norm) for _ in range(2)]
    return [*generators, *[translation.Discriminator(1, 8, 1, norm) for _ in range(2)]]


def game(nets, loss=losses.least_squares, **options):
    players = {
        "generator": Player(ADAM, ["generator_ab", "generator_ba"]),
        "discriminator": Player(ADAM, ["discriminator_a", "discriminator_b"]),
    }
    return CycleGame(*nets, loss, players, **options)


def batches(batch_size=32, position=lambda: 0):
    return Batches(digits_inverted().train, batch_size=batch_size, seed=0, position=position)


def equal(one, other):
    return all((value - other.state_dict()[name]).abs().max() == 0 for name, value in one.state_dict().items())


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("loss", [losses.least_squares, losses.hinge])
def test_rounds_equal_a_plain_loop_bit_by_bit(norm, loss):
    """Five rounds of 32 fill a pool of 50 and exchange with it."""
    nets = networks(norm)
    others = copy.deepcopy(nets)
    train(game(nets, loss), batches(), 5)
    reference.train(*others, loss, ADAM, itertools.islice(batches(), 5))
    assert all(equal(mine, theirs) for mine, theirs in zip(nets, others, strict=True))


def test_averages_equal_hand_made_ones_of_the_plain_loop():
    nets = networks("batch")
    others, averages = copy.deepcopy(nets), copy.deepcopy(nets[:2])
    played = train(game(nets, ema=0.9), batches(), 5)
    reference.train(*others, losses.least_squares, ADAM, itertools.islice(batches(), 5), averages=averages)
    assert equal(nets[0], others[0])
    assert equal(played.average_generator_ab.network, averages[0])
    assert equal(played.average_generator_ba.network, averages[1])
    images = to_float(digits_inverted().test.arrays["image"][:20])
    for direction, average, live in zip(("ab", "ba"), averages, others, strict=False):
        with torch.no_grad():
            expected, raw = average.eval()(images), live.eval()(images)
        assert torch.equal(played.translate(images, direction), expected)
        with played.live_weights():
            assert torch.equal(played.translate(images, direction), raw)
    assert not any("average" in name for name in game(networks()).state_dict())


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}], ids=["live", "averaged"])
def test_goes_on_from_a_checkpoint_bit_by_bit(tmp_path, options):
    whole, first, second = (game(networks(), **options) for _ in range(3))
    play(whole, until=6)
    play(first, until=3).save_checkpoint(tmp_path / "cut.ckpt")
    play(second, until=6, ckpt_path=tmp_path / "cut.ckpt", weights_only=True)
    assert equal(whole, second)
    assert any("average" in name for name in whole.state_dict()) == bool(options)
    for domain, pool in whole.pools.items():
        assert len(pool.images) == 50
        assert torch.equal(pool.images, second.pools[domain].images)


def play(played, until, **options):
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            trainer.should_stop = module.iteration == until

    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(**silent, accelerator="cpu", max_epochs=-1, enable_model_summary=False, callbacks=[Stop()])
    trainer.fit(played, batches(position=lambda: played.iteration), **options)
    return trainer


def test_every_term_is_observed_by_name():
    played = train(game(networks(), distance=1.0, geometry=1.0), batches(), 1)
    domains = {"adversarial_a", "adversarial_b", "cycle_a", "cycle_b", "identity_a", "identity_b"}
    pairs = {"distance_ab", "distance_ba", "geometry_ab", "geometry_ba"}
    found = {name for name in played.observed if name.startswith("train/")}
    assert found == {f"train/generator/{term}" for term in domains | pairs} | {
        f"train/discriminator/{term}" for term in ("real_a", "fake_a", "real_b", "fake_b")
    }


def test_terms_of_no_weight_are_not_computed():
    played = train(game(networks(), cycle=0.0, identity=0.0), batches(), 1)
    found = {name for name in played.observed if name.startswith("train/generator/")}
    assert found == {"train/generator/adversarial_a", "train/generator/adversarial_b"}


def test_the_true_translation_costs_nothing_beside_the_judges():
    """Inverting keeps cycles, distances and turns; turning keeps them too. Neither leaves its own domain alone."""
    a, b = (to_float(digits_inverted().train.arrays["image"][:20]), to_float(digits_inverted().test.arrays["truth"]))
    batch = {"image": a, "target": b[:20], "fake_b": -a, "fake_a": -b[:20]}
    played = game([Negative(), Negative(), *networks()[2:]], distance=1.0, geometry=1.0)
    terms = played.objective("generator", batch)
    assert all(terms[name] == 0 for name in ("cycle_a", "cycle_b", "geometry_ab", "geometry_ba"))
    assert terms["identity_a"] > 1
    assert distance_kept(a, -a, -a) == pytest.approx(0, abs=1e-6)
    assert distance_kept(a, turned(a), turned(a)) == pytest.approx(0, abs=1e-6)


class Negative(nn.Module):
    def forward(self, x):
        return -x


def test_a_mirror_breaks_the_geometry_that_a_turn_keeps():
    images = to_float(digits_rotated().test.arrays["image"][:20])
    assert (turned(images.rot90(1, (2, 3))) == turned(images).rot90(1, (2, 3))).all()
    assert (turned(images.flip(3)) != turned(images).flip(3)).any()


def test_distances_by_hand():
    """Points at 0, 1, 3: distances 1, 3, 2, mean 2, deviation 1. All at 0 instead, in the same units: -2 each."""
    points = torch.tensor([0.0, 1.0, 3.0]).reshape(3, 1, 1, 1)
    kept = distance_kept(points, torch.zeros(3, 1, 1, 1), points)
    # |-1 + 2|, |1 + 2|, |0 + 2|
    assert kept == pytest.approx(2)
    assert distance_kept(points, 5 * points - 1, 5 * points) == pytest.approx(0, abs=1e-6)


def test_distances_of_two_images_are_refused():
    with pytest.raises(ValueError, match="batch of 2 has too few pairs"):
        train(game(networks(), distance=1.0), batches(batch_size=2), 1)


def test_translates_both_ways_in_evaluation_mode():
    nets = networks("batch")
    played = game(nets)
    images = to_float(digits_inverted().test.arrays["image"][:300])
    there, back = played.translate(images), played.translate(images, "ba")
    nets[0].eval()
    with torch.no_grad():
        expected = nets[0](images)
    assert torch.allclose(there, expected, atol=1e-5)
    assert not torch.equal(there, back)
    assert nets[1].training


@pytest.mark.parametrize("discriminator", ["patch", "mlp"])
def test_two_folders_of_pictures_train_with_the_papers_terms(tmp_path, discriminator):
    for domain, shade in (("trainA", 40), ("trainB", 200)):
        (tmp_path / domain).mkdir()
        for i in range(6):
            Image.new("RGB", (40, 30), (shade, 10 * i, shade)).save(tmp_path / domain / f"{i}.png")
    record = trained(
        tmp_path / "runs",
        *("model=cyclegan", "data=unpaired_folders", f"data.root={tmp_path}", "data.size=32", "data.batch_size=1"),
        *("metrics=translation_unpaired", "metrics.every_images=2", "budget.images=4", "samples.every_images=2"),
        *("model.generator_ab.width=4", "model.generator_ab.blocks=1", f"model/discriminator_a={discriminator}"),
        "checkpoint.every_images=2",
    ).read()
    assert record.status == "finished"
    assert set(record.scores["final"]) == {"psnr_cycle_a", "psnr_cycle_b"}


# The pool ---------------------------------------------------------------------------------------------------


def fakes(start, count):
    return torch.arange(start, start + count, dtype=torch.float32).reshape(-1, 1, 1, 1)


def stream(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("count", [1, 7, 64])
def test_pool_equals_a_plain_list(count):
    pool, plain = ImagePool(20), []
    for step in range(8):
        new = fakes(step * count, count)
        assert torch.equal(pool.exchange(new, stream(step)), pooled(plain, new, 20, stream(step)))
        assert torch.equal(pool.images, torch.stack(plain))


def test_pool_hands_fakes_back_until_it_is_full_and_then_half_of_them():
    pool = ImagePool(50)
    assert torch.equal(pool.exchange(fakes(0, 50), stream(0)), fakes(0, 50))
    new = fakes(50, 1000)
    shown = pool.exchange(new, stream(1))
    kept = (shown == new).double().mean()
    assert 0.45 < kept < 0.55
    assert len(pool.images) == 50


def test_pool_loses_and_doubles_nothing():
    """What was shown or is still in the pool: every fake once."""
    pool, seen = ImagePool(10), fakes(0, 10)
    pool.exchange(seen, stream(0))
    shown = [pool.exchange(fakes(10 * step, 10), stream(step)) for step in range(1, 20)]
    everything = torch.cat([*shown, pool.images]).flatten().sort().values
    assert torch.equal(everything, torch.arange(200.0))


def test_pool_of_none_hands_everything_back():
    assert torch.equal(ImagePool(0).exchange(fakes(0, 9), stream(0)), fakes(0, 9))
