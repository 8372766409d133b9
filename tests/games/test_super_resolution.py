"""SuperResolutionGame against a plain PyTorch loop, its two stages, and what it keeps of the first."""

import copy
import itertools
from functools import partial

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from PIL import Image

from forger.config.schema import validate
from forger.data.dataset import Split
from forger.data.loader import Batches
from forger.data.pairs import photos
from forger.data.pixels.ranges import to_float
from forger.data.pixels.resizing import bicubic, shrink
from forger.games.base import Player
from forger.games.super_resolution import SuperResolutionGame, two_stages
from forger.losses import adversarial as losses
from forger.networks.super_resolution import ConvFeatures, Discriminator, Generator
from games.training import train
from reference import super_resolution as reference
from running import composed, trained

ADAM = partial(torch.optim.Adam, lr=1e-3)
PATCHES = Split({"image": photos(patch=16, turns=1).train.arrays["image"][:200]})
WEIGHTS = {"pixel_weight": 1.0, "content_weight": 0.1, "adversarial_weight": 0.01}


def networks(scale=2, norm="batch"):
    torch.manual_seed(1)
    return Generator(3, 8, 1, scale, norm), Discriminator(3, 8, 1, norm), ConvFeatures(3, 4, 2)


def game(G, D, content, loss=losses.non_saturating, first=3, rounds=6, **options):
    players = {"discriminator": Player(ADAM), "generator": Player(ADAM)}
    share = {"budget": 8 * rounds, "first_share": first / rounds}
    return SuperResolutionGame(G, D, content, loss, players, **share, **(WEIGHTS | options))


def batches():
    return Batches(PATCHES, batch_size=8, seed=0, position=lambda: 0)


def equal(one, other):
    return all((value - other.state_dict()[name]).abs().max() == 0 for name, value in one.state_dict().items())


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_rounds_of_both_stages_equal_a_plain_loop_bit_by_bit(scale, norm):
    G, D, content = networks(scale, norm)
    G2, D2 = copy.deepcopy(G), copy.deepcopy(D)
    train(game(G, D, content), batches(), 6)
    few = itertools.islice(batches(), 6)
    reference.train(G2, D2, content, losses.non_saturating, ADAM, few, first=3, weights=list(WEIGHTS.values()))
    assert equal(G, G2)
    assert equal(D, D2)


def test_the_first_stage_leaves_the_discriminator_alone_and_is_kept():
    G, D, content = networks()
    before = copy.deepcopy(D)
    played = train(game(G, D, content), batches(), 3)
    assert (played.stage, equal(D, before)) == ("second", True)
    assert equal(played.first_stage.network, G)
    after_first = copy.deepcopy(G)
    train(played, batches(), 2)
    assert equal(played.first_stage.network, after_first)
    assert not equal(played.generator, after_first)
    assert not equal(D, before)


def test_an_average_equals_a_hand_made_one_of_the_plain_loop_and_is_what_is_kept_of_the_first_stage():
    G, D, content = networks()
    plain = copy.deepcopy((G, D))
    averages = {rounds: copy.deepcopy(G) for rounds in (3, 6)}
    options = {"first": 3, "weights": list(WEIGHTS.values())}
    for rounds, average in averages.items():
        other, judge = copy.deepcopy(plain)
        few = itertools.islice(batches(), rounds)
        reference.train(other, judge, content, losses.non_saturating, ADAM, few, average=average, **options)
    played = train(game(G, D, content, ema=0.9), batches(), 6)
    assert equal(G, other)
    assert equal(played.average.network, averages[6])
    assert equal(played.first_stage.network, averages[3])
    small = shrink(to_float(PATCHES.arrays["image"][:4]), 2)
    with torch.no_grad():
        expected, live = averages[6].eval()(small).clamp(-1, 1), other.eval()(small).clamp(-1, 1)
    assert torch.equal(played.enlarge(small), expected)
    with played.live_weights():
        assert torch.equal(played.enlarge(small), live)
    assert not any("average" in name for name in game(*networks()).state_dict())


def test_terms_of_the_stages():
    played = train(game(*networks(), first=1), batches(), 1)
    assert {name for name in played.observed if name.startswith("train/")} == {"train/generator/pixel"}
    train(played, batches(), 1)
    assert {name for name in played.observed if name.startswith("train/")} == {
        "train/discriminator/real", "train/discriminator/fake",
        "train/generator/pixel", "train/generator/content", "train/generator/adversarial",
    }  # fmt: skip


def test_a_relativistic_loss_compares_with_the_large_images():
    played = train(game(*networks(), loss=losses.relativistic, first=0), batches(), 2)
    assert "train/generator/adversarial" in played.observed


def test_content_features_are_neither_trained_nor_saved():
    G, D, content = networks()
    before = copy.deepcopy(content)
    played = train(game(G, D, content, first=0), batches(), 2)
    assert equal(content, before)
    assert not any("content" in name for name in played.state_dict())
    assert not content.training


def test_an_untrained_residual_generator_enlarges_as_bicubic_does():
    played = game(*networks())
    small = shrink(to_float(PATCHES.arrays["image"][:40]), 2)
    for stage in ("first", "second"):
        assert torch.allclose(played.enlarge(small, stage), bicubic(small, 2), atol=1e-6)
    assert played.generator.training


def test_enlargements_stay_within_white_and_black():
    G, D, content = networks()
    torch.nn.init.constant_(G.output.bias, 3.0)
    assert game(G, D, content).enlarge(torch.rand(2, 3, 8, 8) * 2 - 1).max() == 1


def test_small_images_are_what_a_file_would_hold():
    small = shrink(to_float(PATCHES.arrays["image"][:40]), 4)
    levels = (small + 1) * 127.5
    assert small.shape == (40, 3, 4, 4)
    assert small.abs().max() <= 1
    assert (levels - levels.round()).abs().max() < 1e-4


def test_shrinking_keeps_a_ramp_and_does_not_shift_it():
    """Centres of pairs of pixels: 0.5, 2.5, 4.5, … away from the borders."""
    ramp = (torch.arange(32.0) / 16 - 1).expand(1, 1, 32, 32)
    small = shrink(ramp, 2)[0, 0, 8, 3:-3]
    assert torch.allclose(small, (torch.arange(3, 13) * 2 + 0.5) / 16 - 1, atol=1 / 255)


def test_each_stage_has_a_cosine_of_its_own():
    rate = partial(two_stages, budget=100, first_share=0.6, second=0.1, final=0.0)
    assert [rate(0), rate(30), rate(60), rate(80)] == pytest.approx([1, 0.5, 0.1, 0.05])
    assert rate(59) < 0.001
    assert rate(100) == pytest.approx(0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_stage_may_be_missing(share):
    rate = partial(two_stages, budget=100, first_share=share, second=0.1)
    assert rate(0) == pytest.approx(1 if share else 0.1)
    assert 0 <= rate(99) < 0.01


def test_any_folder_of_pictures_trains(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(8):
        Image.effect_noise((60, 50), 10 * i + 5).convert("RGB").save(tmp_path / "photos" / f"{i}.png")
    record = trained(
        tmp_path / "runs",
        *("model=srgan", "data=photo_folder", f"data.root={tmp_path / 'photos'}", "data.size=32", "data.batch_size=8"),
        *("metrics=enlargement", "metrics.every_images=32", "budget.images=64", "samples.n=2"),
        *("samples.every_images=32", "checkpoint.every_images=32"),
    ).read()
    assert record.status == "finished"
    assert set(record.scores["final"]) >= {"psnr", "psnr_first", "psnr_bicubic"}


def test_vgg19_takes_the_place_of_the_small_features_by_one_override():
    overrides = ["experiment=photos_srgan", "model/content=vgg19", "model.content.weights=vgg19.pth"]
    content = validate(composed(*overrides)).model["content"]
    assert content == {"_target_": "forger.networks.super_resolution.VGG19Features", "weights": "vgg19.pth"}
    with pytest.raises(InstantiationException, match=r"no weights at vgg19\.pth; download"):
        instantiate(content)
