"""PairedGame (pix2pix) against a plain PyTorch loop, its noise, and a run on a folder of pairs."""

import copy
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from forger import cli
from forger.data.loader import Batches
from forger.data.pairs import digits_averaged, digits_inverted
from forger.data.pixels.ranges import to_float
from forger.errors import ConfigError
from forger.games.base import Player
from forger.games.paired import PairedGame
from forger.lifecycle.restore import restored
from forger.losses import adversarial as losses
from forger.networks import pix2pix, translation
from forger.pictures import drawable
from games.training import train
from reference import paired as reference
from running import trained

ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.5, 0.999))


def networks(norm="none", dropout=0.5):
    torch.manual_seed(1)
    return pix2pix.Generator(1, 8, 8, dropout=dropout, norm=norm), translation.Discriminator(2, 8, 1, "none")


def game(nets, loss=losses.non_saturating, **options):
    return PairedGame(*nets, loss, {"discriminator": Player(ADAM), "generator": Player(ADAM)}, **options)


def batches():
    return Batches(digits_averaged(paired=True).train, batch_size=32, seed=0, position=int)


def equal(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("loss", [losses.non_saturating, losses.least_squares])
def test_rounds_equal_a_plain_loop_bit_by_bit(loss):
    nets = networks("batch")
    others = copy.deepcopy(nets)
    train(game(nets, loss), batches(), 5)
    reference.train(*others, loss, ADAM, itertools.islice(batches(), 5))
    assert all(equal(mine, theirs) for mine, theirs in zip(nets, others, strict=True))


def test_on_the_distance_alone_the_discriminator_rests():
    nets = networks()
    before = copy.deepcopy(nets)
    played = train(game(nets, adversarial=0.0), batches(), 2)
    assert equal(nets[1], before[1])
    assert not equal(nets[0], before[0])
    assert {name for name in played.observed if name.startswith("train/")} == {"train/generator/l1"}


def test_dropout_stays_on_when_it_translates_and_is_always_the_same():
    nets = networks()
    played, images = game(nets), to_float(digits_averaged().test.arrays["image"][:20])
    there, state = played.translate(images), torch.get_rng_state()
    assert torch.equal(there, played.translate(images))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(there, game(nets, seed=1).translate(images))
    assert nets[0].training
    with torch.no_grad():
        expected = nets[0].eval()(images)
    assert torch.equal(game(nets, noise=False).translate(images), expected)
    assert not torch.equal(there, expected)
    with pytest.raises(ValueError, match="from A to B, not"):
        played.translate(images, "ba")


def test_data_that_hide_their_pairs_are_refused():
    hidden = Batches(digits_inverted().train, batch_size=32, seed=0, position=int)
    with pytest.raises(ValueError, match="trained on pairs, and these data show none"):
        train(game(networks()), hidden, 1)


TINY = ("model.generator.width=4", "model.discriminator.width=4", "metrics.n=10", "data.size=16")


@pytest.mark.parametrize("source", ["paired_folder", "side_by_side"])
def test_a_folder_of_pairs_trains_and_translates(source, tmp_path, capsys):
    """A picture and its negative, as two files or as one; the splits of the second are its subfolders."""
    colours = np.random.default_rng(0).integers(256, size=(14, 16, 16, 3), dtype=np.uint8)
    for i, colour in enumerate(colours):
        sides = {"A": colour, "B": 255 - colour}
        if source == "side_by_side":
            sides = {("train", "val", "test")[max(0, i - 11)]: np.concatenate([*sides.values()], axis=1)}
        for folder, pixels in sides.items():
            (tmp_path / "pairs" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "pairs" / folder / f"{i}.png")
    run = trained(
        tmp_path / "runs", "model=pix2pix", f"data={source}", f"data.root={tmp_path / 'pairs'}", *TINY,
        "budget.images=8", "metrics.every_images=4", "samples.every_images=8", "checkpoint.every_images=4",
    )  # fmt: skip
    record = run.read()
    assert record.status == "finished"
    assert set(record.scores["final"]) == {
        *("psnr", "ssim", "psnr_ridge", "gain_over_ridge", "high_frequencies", "high_frequencies_ridge")
    }
    read = restored(run.path)
    assert drawable(read.game, read.data) == ("translations",)
    with Image.open(run.samples / "000000008.png") as drawn:
        assert drawn.height > 3 * 16
    made = tmp_path / "made.png"
    picture = tmp_path / "given.png"
    Image.fromarray(colours[0]).save(picture)
    assert cli.main(["sample", str(run.path), "--input", str(picture), "--out", str(made)]) == 0
    with Image.open(made) as image:
        assert image.size == (16, 16)
    capsys.readouterr()
    assert cli.main(["sample", str(run.path), "--what", "cycles"]) == 2
    assert "this run can't draw that" in capsys.readouterr().err


def test_two_folders_without_pairs_are_one_clear_line(tmp_path):
    for i in range(12):
        for folder in ("trainA", "trainB"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new("RGB", (16, 16), (20 * i, 0, len(folder))).save(tmp_path / folder / f"{folder}{i}.png")
    with pytest.raises(
        ConfigError, match=r"does not fit data=trainA-trainB .*: it is trained on pairs, and these data"
    ):
        trained(
            tmp_path / "runs", "model=pix2pix", "data=unpaired_folders", f"data.root={tmp_path}", *TINY, "metrics=none"
        )
