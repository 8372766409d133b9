"""Evaluations of autoencoders by games whose codes and errors are known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from torch.distributions import LowRankMultivariateNormal, Normal

from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.data.pixels.ranges import to_float, to_uint8
from forger.metrics.evaluations.autoencoding import Denoising, Reconstruction, Sparsity, Variational, chosen, with_noise
from forger.metrics.evaluations.factors import FACTORS, LatentFactors, applied, read_out, rotated, scaled, thickened
from forger.metrics.evaluations.linear import PrincipalComponents, WienerFilter, training_pixels, wiener_filter
from forger.randomness import generator

ALL = {"n": 10_000, "seed": 0}


def pca_game(k):
    """An autoencoder that is PCA, by scikit-learn and NumPy alone."""
    pixels = digits().train.arrays["image"].flatten(1).numpy() / 255
    pca = PCA(k).fit(pixels)

    def encode(x):
        return torch.from_numpy(pca.transform((x.flatten(1).numpy() + 1) / 2))

    def reconstruct(x):
        return torch.from_numpy(2 * pca.inverse_transform(encode(x).numpy()) - 1).reshape(x.shape)

    return SimpleNamespace(encode=encode, reconstruct=reconstruct, latent=k)


def coded(codes):
    return SimpleNamespace(encode=lambda x: codes, latent=codes.shape[1])


def test_pca_itself_is_as_good_as_pca():
    scores = Reconstruction().evaluate(pca_game(8), digits(), "test", **ALL)
    assert scores["mse_over_pca"] == pytest.approx(1, rel=1e-5)
    test = digits().test.arrays["image"].flatten(1).numpy() / 255
    pca = PCA(8).fit(digits().train.arrays["image"].flatten(1).numpy() / 255)
    error = np.mean((pca.inverse_transform(pca.transform(test)) - test) ** 2)
    assert scores["mse_pca"] == pytest.approx(error, rel=1e-5)


def test_errors_are_on_the_scale_of_pixels():
    """Every pixel off by 0.1 of the way from black to white: 0.01, 20 dB."""
    game = SimpleNamespace(reconstruct=lambda x: x - 0.2, latent=200)
    scores = Reconstruction(pca=False).evaluate(game, digits(), "test", **ALL)
    assert scores == {"mse": pytest.approx(0.01, rel=1e-5), "psnr": pytest.approx(20, rel=1e-5)}
    perfect = SimpleNamespace(reconstruct=lambda x: x, latent=200)
    scores = Reconstruction(pca=False).evaluate(perfect, digits(), "test", **ALL)
    assert scores == {"mse": 0, "psnr": math.inf}


def test_a_comparison_that_pca_can_not_lose_is_refused():
    with pytest.raises(ValueError, match=r"a code of 64 for images of 64 pixels: PCA loses nothing"):
        Reconstruction().evaluate(SimpleNamespace(reconstruct=lambda x: x, latent=64), digits(), "test", **ALL)


def test_sparsity_by_hand():
    """Of four units one is always on, one for one of two images, one too weak to count, one dead."""
    scores = Sparsity().evaluate(coded(torch.tensor([[2.0, 0, 9e-4, 0], [3, 1, 0, -1]])), digits(), "test", **ALL)
    assert scores == {"active": 3 / 8, "dead": 0.5}


def test_the_wiener_filter_shrinks_by_signal_over_signal_and_noise():
    """Two unrelated pixels ½ ± a of variance v = 4/3 a²: x̂ = ½ + v / (v + σ²) (y − ½), clipped."""
    rows = 0.5 + torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * torch.tensor([0.3, 0.1]).double()
    filtered = WienerFilter(rows, 0.5)(torch.tensor([[0.2, 0.4], [9.0, -9.0]]))
    first, second = 0.12 / (0.12 + 0.25), 4 / 300 / (4 / 300 + 0.25)
    expected = torch.tensor([[0.2 * first, 0.4 * second], [1.0, -9 * second]]).double()
    torch.testing.assert_close(filtered, expected)


def test_fewer_images_than_pixels_make_the_same_filter():
    rows = training_pixels(digits())
    few, images = rows[:30], to_float(digits().test.arrays["image"][:9])
    twice = few.repeat(3, 1)  # the same mean, and a covariance of 29 / 30 · 90 / 89 times theirs
    scale = (29 / 30) * (90 / 89)
    torch.testing.assert_close(
        WienerFilter(few, 0.25)(images), WienerFilter(twice, 0.25 * scale**0.5)(images), rtol=1e-5, atol=1e-6
    )


def test_the_filter_is_made_once_for_a_training_split(monkeypatch):
    data = digits()
    assert wiener_filter(data, 0.25) is wiener_filter(data, 0.25)
    assert wiener_filter(data, 0.25) is not wiener_filter(data, 0.5)
    assert wiener_filter(digits(), 0.25) is not wiener_filter(data, 0.25)


def test_no_linear_method_beats_the_wiener_filter_by_much():
    """Least squares from 20 noisy copies of each training image to the clean one comes out the same."""
    clean = training_pixels(digits()).numpy().repeat(20, axis=0)
    noisy = clean + 0.25 * np.random.default_rng(0).normal(size=clean.shape)
    regression = LinearRegression().fit(noisy, clean)
    images = to_float(digits().test.arrays["image"])
    inputs = with_noise(images, 0.25, seed=1)
    rows = (inputs.flatten(1).numpy() + 1) / 2
    theirs = np.mean((regression.predict(rows).clip(0, 1) - (images.flatten(1).numpy() + 1) / 2) ** 2)
    ours = WienerFilter(training_pixels(digits()), 0.25)(inputs)
    assert float((ours - images).square().mean() / 4) == pytest.approx(theirs, rel=0.01)


def test_denoising_hands_both_the_same_unclipped_input():
    seen = []
    game = SimpleNamespace(reconstruct=lambda x: (seen.append(x), x)[1], latent=8)
    scores = Denoising(0.25).evaluate(game, digits(), "test", **ALL)
    assert scores["psnr_denoised"] == scores["psnr_noisy"] == pytest.approx(-20 * math.log10(0.25), abs=0.15)
    assert scores["gain_over_wiener"] == scores["psnr_denoised"] - scores["psnr_wiener"]
    assert 16.5 < scores["psnr_wiener"] < 18
    assert seen[0].max() > 1.5
    wiener = WienerFilter(training_pixels(digits()), 0.25)
    same = Denoising(0.25).evaluate(SimpleNamespace(reconstruct=wiener), digits(), "test", **ALL)
    assert same["gain_over_wiener"] == 0


def test_a_posterior_that_is_the_prior_says_nothing():
    images = to_float(digits().test.arrays["image"])
    grey = torch.zeros_like(images)
    nothing = torch.zeros(len(images), 3)
    game = SimpleNamespace(posterior=lambda x: (nothing, nothing), decode=lambda z: grey, latent=3)
    scores = Variational(r_loss_factor=200).evaluate(game, digits(), "test", **ALL)
    assert (scores["kl"], scores["active_units"]) == (0, 0)
    # Gaussian pixels of variance D / 2r = 64 / 400 around ½
    likelihood = Normal(0.5, math.sqrt(64 / 400)).log_prob((images + 1) / 2).flatten(1).sum(1).mean()
    assert scores["elbo"] == pytest.approx(likelihood.item(), rel=1e-4)


def test_divergence_active_units_and_bound_by_hand():
    """Means ±1 in one unit, ±0.05 (variance 0.0025) in another: KL ½ and ½ · 0.0025, one unit active."""
    data = digits()
    images = to_float(data.test.arrays["image"])[:496]
    data = Data("even", data.train, data.validation, Split({"image": to_uint8(images)}))
    sign = torch.tensor([1.0, -1.0]).repeat(248)[:, None]
    mean = torch.cat([sign, 0.05 * sign], 1)
    zs = []
    game = SimpleNamespace(
        posterior=lambda x: (mean, torch.zeros(496, 2)), decode=lambda z: (zs.append(z), images)[1], latent=2
    )
    scores = Variational(r_loss_factor=32, draws=3).evaluate(game, data, "test", **ALL)
    assert scores["kl"] == pytest.approx(0.5 + 0.5 * 0.0025)
    assert scores["active_units"] == 1
    assert scores["elbo"] == pytest.approx(-32 * math.log(2 * math.pi) - scores["kl"], rel=1e-5)
    assert (torch.stack(zs) - mean).std() == pytest.approx(1, abs=0.05)


def test_the_bound_by_importance_sampling_reaches_the_exact_likelihood_of_a_linear_gaussian_model():
    """Of factor analysis on three orthogonal loadings, from posteriors that are 1.4 times too wide."""
    rows = training_pixels(digits()).float()
    mean, variance = rows.mean(0), 64 / 400  # D / 2r
    loadings = torch.linalg.svd(rows - mean, full_matrices=False).Vh[:3].T * torch.tensor([0.9, 0.7, 0.5])
    precision = 1 + loadings.square().sum(0) / variance
    x = (to_float(digits().test.arrays["image"]).flatten(1) + 1) / 2
    exact = LowRankMultivariateNormal(mean, loadings, torch.full((64,), variance)).log_prob(x).mean()

    def posterior(images):
        means = ((images.flatten(1) + 1) / 2 - mean) @ loadings / variance / precision
        return means, (1.4 / precision.sqrt()).square().log().expand(len(images), 3)

    decode = lambda z: (2 * (mean + z @ loadings.T) - 1).view(-1, 1, 8, 8)  # noqa: E731
    game = SimpleNamespace(posterior=posterior, decode=decode, latent=3)
    scores = Variational(200, draws=64).estimate(game, digits(), "test", **ALL)
    # KL of N(μ, 1.4² s²) from N(μ, s²), in three dimensions
    gap = 3 * (0.5 * (1.4**2 - 1) - math.log(1.4))
    assert scores["elbo"].value == pytest.approx(float(exact) - gap, abs=0.05)
    assert scores["iwae_64"].value == pytest.approx(float(exact), abs=0.05)
    assert scores["iwae_64"].error == pytest.approx(scores["elbo"].error, rel=0.3)
    kl = scores["mutual_information"].value + scores["total_correlation"].value
    assert 0 < kl < scores["kl"].value
    assert "iwae_64" not in Variational(200).evaluate(game, digits(), "validation", **ALL)


def test_the_likelihood_is_that_under_the_label_where_the_game_is_told_any():
    labels = digits().test.arrays["label"]
    seen = []

    def told(x, given):
        seen.append(given)
        return torch.zeros(len(given), 2), torch.zeros(len(given), 2)

    grey = torch.zeros(497, 1, 8, 8)
    game = SimpleNamespace(posterior=told, decode=lambda z, given: (seen.append(given), grey)[1], latent=2, classes=10)
    Variational(200, draws=1).evaluate(game, digits(), "test", **ALL)
    assert len(seen) == 2 + 64
    assert all(torch.equal(each, labels) for each in seen)


def test_factors_are_what_they_are_called():
    picture = to_float(digits().test.arrays["image"][:1])
    both = picture.repeat(2, 1, 1, 1)
    turned = rotated(both, torch.tensor([90.0, 0.0]))
    torch.testing.assert_close(turned, torch.cat([torch.rot90(picture, 1, (2, 3)), picture]), atol=1e-4, rtol=0)
    square = torch.full((2, 1, 8, 8), -1.0)
    square[:, :, 2:6, 2:6] = 1
    small = scaled(square, torch.tensor([0.5, 1.0]))
    expected = torch.full((8, 8), -1.0)
    expected[3:5, 3:5] = 1
    torch.testing.assert_close(small, torch.stack([expected, square[0, 0]])[:, None], atol=1e-4, rtol=0)


def test_turning_a_picture_that_is_not_square_keeps_its_proportions():
    bar = torch.full((1, 1, 9, 15), -1.0)
    bar[:, :, 4, 5:10] = 1
    upright = torch.full((1, 1, 9, 15), -1.0)
    upright[:, :, 2:7, 7] = 1
    torch.testing.assert_close(rotated(bar, torch.tensor([90.0])), upright, atol=1e-4, rtol=0)


def test_a_stroke_gets_thicker_and_thinner_by_parts_of_a_pixel():
    line = torch.full((1, 1, 7, 7), -1.0)
    line[..., 2:5] = 1
    for pixels, width in ((1.0, 5), (0.5, 4), (0.0, 3), (-0.5, 2), (-1.0, 1)):
        ink = (thickened(line, torch.tensor([pixels]))[0, 0, 3] + 1) / 2
        assert ink.sum() == pytest.approx(width)


def test_amounts_are_drawn_between_their_bounds():
    images = to_float(digits().test.arrays["image"])
    for factor, (change, low, high) in FACTORS.items():
        changed, amounts = applied(factor, images, generator(0, "x"))
        assert low <= amounts.min() < low + 0.1 * (high - low)
        assert high >= amounts.max() > high - 0.1 * (high - low)
        torch.testing.assert_close(changed, change(images, amounts))
        assert changed.min() >= -1 - 1e-5
        assert changed.max() <= 1 + 1e-5


def test_reading_out():
    codes = torch.randn(400, 3, generator=generator(0, "codes"))
    values = codes @ torch.tensor([1.0, -2.0, 0.0]) + 5
    assert read_out(codes[:200], values[:200], codes[200:], values[200:]) == pytest.approx(1, abs=1e-3)
    noise = torch.randn(400, generator=generator(0, "values"))
    assert read_out(codes[:200], noise[:200], codes[200:], noise[200:]) < 0.05


def test_the_code_of_pca_tells_as_much_as_pca():
    scores = LatentFactors().evaluate(pca_game(8), digits(), "test", **ALL)
    assert len(scores) == 6
    for factor in FACTORS:
        assert scores[f"r2_{factor}"] == pytest.approx(scores[f"r2_{factor}_pca"], abs=1e-3)
        assert 0.2 < scores[f"r2_{factor}"] < 0.9


def test_a_code_that_knows_nothing_tells_nothing():
    game = SimpleNamespace(encode=lambda x: torch.ones(len(x), 2), latent=2)
    scores = LatentFactors().evaluate(game, digits(), "test", **ALL)
    assert all(abs(scores[f"r2_{factor}"]) < 0.02 for factor in FACTORS)


def test_images_are_chosen_by_seed_only_where_there_are_too_many():
    data = digits()
    assert torch.equal(chosen(data, "test", 497, 0), data.test.arrays["image"])
    few = chosen(data, "test", 50, 0)
    assert few.shape == (50, 1, 8, 8)
    assert torch.equal(few, chosen(data, "test", 50, 0))
    assert not torch.equal(few, chosen(data, "test", 50, 1))


def test_principal_components_of_more_images_than_are_needed():
    pca = PrincipalComponents(training_pixels(digits()), 5)
    images = to_float(digits().test.arrays["image"])
    assert pca.encode(images).shape == (497, 5)
    torch.testing.assert_close(pca.encode(images).mean(0), torch.zeros(5).double(), atol=0.15, rtol=0)


@pytest.mark.parametrize(
    ("evaluation", "better"),
    [
        (Reconstruction(), {"mse": False, "mse_pca": False, "mse_over_pca": False, "psnr": True}),
        (Sparsity(), {"active": False, "dead": False}),
        (Denoising(0.25), {"psnr_denoised": True, "gain_over_wiener": True}),
        (Variational(1000), {"kl": False, "elbo": True, "active_units": True}),
        (LatentFactors(), {"r2_size": True, "r2_size_pca": True}),
    ],
)
def test_directions_and_passports(evaluation, better):
    assert {name: evaluation.higher_is_better(name) for name in better} == better
    passport = evaluation.passport(None, digits(), "test", n=10_000, seed=0)
    assert passport["split"] == "digits/test"
    assert passport["n_real"] == 497
