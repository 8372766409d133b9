"""The evaluation of super-resolution against independent references and known signals."""

import math
from types import SimpleNamespace

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.data.pairs import photos
from forger.data.pixels.resizing import bicubic
from forger.metrics.evaluations.enlargement import Enlargement, compared
from forger.metrics.features.perceptual import FeatureDistance
from forger.metrics.functional.image_quality import energy_beyond, luma, ssim
from forger.networks.content import PhotoFeatures

ALL = {"n": 10, "seed": 0}


def game(scale=2, enlarge=None):
    def doing(images, stage="second"):
        return (enlarge or bicubic)(images, scale)

    return SimpleNamespace(enlarge=doing, scale=scale)


@pytest.fixture(scope="module")
def china():
    return photos(patch=48, stride=48, turns=1)


def test_bicubic_has_the_scores_of_bicubic(china):
    scores = Enlargement().evaluate(game(), china, "test", **ALL)
    for name in ("psnr", "ssim", "high_frequencies"):
        for picture in ("", "_flower"):
            assert scores[name + picture] == scores[f"{name}_bicubic{picture}"] == scores[f"{name}_first{picture}"]
    # as other code had measured before on the same strip
    assert scores["psnr_bicubic"] == pytest.approx(25.17, abs=0.005)
    assert scores["psnr_bicubic_flower"] > 50


def test_validation_is_measured_on_its_patches(china):
    scores = Enlargement().evaluate(game(), china, "validation", **ALL)
    assert set(scores) == {
        f"{name}{method}" for name in ("psnr", "ssim", "high_frequencies") for method in ("", "_first", "_bicubic")
    }


def test_data_without_the_picture_are_measured_on_test_patches(china):
    evaluation = Enlargement("lighthouse")
    scores = evaluation.evaluate(game(), china, "test", n=1000, seed=0)
    assert scores == compared(game(), china.test.arrays["image"])
    assert evaluation.passport(game(), china, "test", n=10, seed=0)["n_real"] == 10 < len(china.test)
    assert evaluation.evaluate(game(), china, "test", n=10, seed=0) != scores


def test_pictures_that_ssim_can_not_look_at_have_the_other_scores():
    scores = Enlargement().evaluate(game(), digits(), "test", n=20, seed=0)
    assert {f"{name}{key}" for name in ("psnr", "high_frequencies") for key in ("", "_first", "_bicubic")} == set(
        scores
    )


def test_a_perceptual_distance_stands_beside_them(china):
    distance = FeatureDistance(PhotoFeatures())
    evaluation = Enlargement(distance=distance)
    evaluation.check(china)
    scores = evaluation.evaluate(game(enlarge=lambda x, scale: 0.5 * bicubic(x, scale)), china, "test", **ALL)
    assert scores["distance_photo"] == scores["distance_photo_first"] > scores["distance_photo_bicubic"] > 0
    assert not evaluation.higher_is_better("distance_photo_flower")
    assert evaluation.higher_is_better("psnr_first")
    assert evaluation.passport(game(), china, "test", **ALL)["network"] == "photo"


def test_a_single_picture_has_no_spread_and_patches_have(china):
    whole = Enlargement().estimate(game(), china, "test", **ALL)
    assert whole["psnr"].error is None
    patches = Enlargement().estimate(game(), china, "validation", **ALL)
    assert (patches["psnr"].error or 0) > 0


def test_each_stage_is_measured_for_itself(china):
    stages = SimpleNamespace(
        scale=2, enlarge=lambda x, stage="second": bicubic(x, 2) * (1.0 if stage == "first" else 0.9)
    )
    scores = compared(stages, china.test.arrays["image"])
    assert scores["psnr_first"] == scores["psnr_bicubic"] > scores["psnr"]


def test_nothing_but_the_border_is_cut_off():
    """A perfect enlargement of a picture that bicubic can't spoil: one colour, and a border that is wrong."""
    picture = torch.full((1, 3, 32, 32), 90, dtype=torch.uint8)

    def wrong_at_the_border(x, scale):
        y = bicubic(x, scale)
        y[..., :2] = 1
        return y

    split = Split({"image": torch.cat([picture, picture + 40])})
    scores = Enlargement().evaluate(game(2, wrong_at_the_border), Data("grey", split, split, split), "test", **ALL)
    assert scores["psnr"] == math.inf
    assert scores["ssim"] == pytest.approx(1)


def test_ssim_agrees_with_torchmetrics(china):
    x = luma(china.extra["china"].arrays["image"])
    y = (x + 20 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255)
    # torchmetrics pads by reflection and counts that; the paper's authors count windows that fit
    _, places = structural_similarity_index_measure(y[:, None], x[:, None], data_range=255.0, return_full_image=True)
    assert ssim(x[:, None], y[:, None]).item() == pytest.approx(places[..., 5:-5, 5:-5].mean().item(), abs=1e-6)
    assert ssim(x[:, None], x[:, None]).item() == pytest.approx(1)


def test_ssim_of_two_flat_greys_by_hand():
    x, y = torch.full((1, 16, 16), 100.0).double(), torch.full((1, 16, 16), 50.0).double()
    c1 = 2.55**2
    assert ssim(x[:, None], y[:, None]).item() == pytest.approx((2 * 100 * 50 + c1) / (100**2 + 50**2 + c1))


def test_luma_of_primaries_by_hand():
    """BT.601: black 16, white 235, and 65.481, 128.553, 24.966 above black for the primaries."""
    colours = torch.tensor([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    assert luma(colours.reshape(5, 3, 1, 1)).flatten().tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966])
    grey = torch.tensor([7], dtype=torch.uint8).reshape(1, 1, 1, 1)
    assert luma(grey).item() == 7


@pytest.mark.parametrize(("frequency", "beyond"), [(0.1, False), (0.2, False), (0.3, True), (0.45, True)])
def test_a_wave_is_beyond_or_it_is_not(frequency, beyond):
    wave = torch.cos(2 * math.pi * frequency * torch.arange(200.0).double()).expand(1, 150, 200)
    for direction in (wave, wave.mT):
        share = energy_beyond(direction, 0.25) / energy_beyond(direction, 0.0)
        assert share.item() == pytest.approx(float(beyond), abs=1e-4)


def test_energy_grows_with_the_square_of_the_contrast_and_not_with_brightness():
    noise = torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    assert energy_beyond(3 * noise + 100, 0.25).item() == pytest.approx(9 * energy_beyond(noise, 0.25).item())


def test_a_slope_is_not_sharp():
    """From one border to the other it jumps, which without a window would be most of its energy."""
    slope = torch.linspace(0, 255, 160).double().expand(1, 100, 160)
    assert (energy_beyond(slope, 0.25) / energy_beyond(slope, 0.0)).item() < 1e-6
