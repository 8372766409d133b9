"""The signals on games of which the answer is known."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch

from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.data.points import gaussian_1d, ring8
from forger.metrics.features.extractors import build
from forger.watch.game_signals import GameSignals


class Sampler:
    """A game whose samples are given, and whose discriminator knows some images by heart."""

    device, rank, world = torch.device("cpu"), 0, 1
    averaged, classes, conditions, shown = True, 0, (), 0

    def __init__(self, samples: torch.Tensor, known: torch.Tensor | None = None) -> None:
        self.samples, self.known = samples, known
        self.asked: list[dict] = []
        self.live = False

    @contextmanager
    def live_weights(self):
        self.live = True
        yield
        self.live = False

    def sample(self, n, labels=None, generator=None):
        self.asked.append({"labels": labels, "live": self.live, "z": torch.randn(1, generator=generator).item()})
        return self.samples[torch.arange(n) % len(self.samples)]

    def discriminate(self, samples, labels=None):
        by_heart = torch.zeros(len(samples), dtype=torch.bool)
        if self.known is not None:
            by_heart = (samples.flatten(1)[:, None] == self.known.flatten(1)).all(2).any(1)
        return torch.where(by_heart, 0.99, 0.3)


@pytest.fixture(scope="module")
def data():
    return digits()


@pytest.fixture(scope="module")
def extractor():
    return build("digits", None)


def test_real_images_as_samples_are_as_varied_as_reals(data, extractor):
    samples = to_float(data.test.arrays["image"])
    for signals in (GameSignals(data, 200, extractor), GameSignals(data, 200)):
        values = signals(Sampler(samples))
        assert 0.85 < values["watch/vendi_ratio"] < 1.15
        assert 0.9 < values["watch/distance_ratio"] < 1.1
    assert GameSignals(data, 200, extractor)(Sampler(samples))["watch/class_entropy"] > 0.97


def test_one_class_alone_is_a_collapse_with_and_without_an_extractor(data, extractor):
    samples = to_float(data.test.arrays["image"][data.test.arrays["label"] == 3])
    with_features, without = (
        GameSignals(data, 200, extractor)(Sampler(samples)),
        GameSignals(data, 200)(Sampler(samples)),
    )
    assert with_features["watch/vendi_ratio"] < 0.5
    assert with_features["watch/class_entropy"] < 0.2
    assert without["watch/vendi_ratio"] < 0.8
    assert "watch/class_entropy" not in without


def test_blurred_images_are_told_with_and_without_an_extractor(data, extractor):
    images = to_float(data.test.arrays["image"])
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    for given in (extractor, None):
        signals = GameSignals(data, 200, given)
        assert signals(Sampler(images))["watch/sharpness_ratio"] == pytest.approx(1, abs=0.05)
        assert signals(Sampler(blurred))["watch/sharpness_ratio"] < 0.5


def test_a_discriminator_that_knows_its_images_by_heart_is_told(data, extractor):
    fakes = to_float(data.test.arrays["image"])
    values = GameSignals(data, 200, extractor)(Sampler(fakes, known=to_float(data.train.arrays["image"])))
    assert values["watch/memory_auc"] == 1
    assert values["watch/held_out_auc"] == 0.5
    assert values["watch/held_out_gap"] == values["watch/held_out_separation"] == 0
    blind = GameSignals(data, 200, extractor)(Sampler(fakes))
    assert blind["watch/memory_auc"] == 0.5


def test_modes_of_points_are_counted():
    data = ring8(n=2_000)
    assert data.density is not None
    whole = GameSignals(data, 256)(Sampler(data.density.sample(256, torch.Generator().manual_seed(0))))
    half = GameSignals(data, 256)(Sampler(data.density.means[:4]))
    assert whole["watch/mode_entropy"] > 0.95
    assert half["watch/mode_entropy"] == pytest.approx(2 / 3)
    assert half["watch/vendi_ratio"] < 0.6
    assert "watch/mode_entropy" not in GameSignals(gaussian_1d(n=500), 64)(Sampler(torch.randn(64, 1)))


def test_modes_may_be_given_as_integers():
    data = gaussian_1d(means=[-2, 1], stds=[0.3, 0.5], n=500)
    assert GameSignals(data, 64)(Sampler(torch.tensor([[-2.1], [0.9]])))["watch/mode_entropy"] == pytest.approx(1)


def test_samples_are_of_the_live_weights_with_the_same_latents_each_time(data, extractor):
    game = Sampler(to_float(data.test.arrays["image"]))
    signals = GameSignals(data, 64, extractor)
    first, second = signals(game), signals(game)
    assert first == second
    assert game.asked[0] == game.asked[1] == {**game.asked[0], "live": True, "labels": None}


def test_a_conditional_game_is_asked_for_the_reals_labels(data, extractor):
    game = Sampler(to_float(data.test.arrays["image"]))
    game.classes = 10
    GameSignals(data, 1100, extractor)(game)
    assert torch.equal(game.asked[0]["labels"], data.train.arrays["label"])


def test_samples_that_are_not_finite_are_told_as_that(data, extractor):
    samples = to_float(data.test.arrays["image"]).clone()
    samples[::2] = float("nan")
    assert GameSignals(data, 200, extractor)(Sampler(samples)) == {"watch/finite_share": 0.5}


def test_a_game_without_samples_is_only_asked_for_its_latents(data):
    def posterior(images):
        return torch.randn(len(images), 4), torch.zeros(len(images), 4)

    what = {"device": torch.device("cpu"), "rank": 0, "world": 1, "averaged": False, "shown": 0}
    silent = SimpleNamespace(**what, live_weights=nullcontext)
    coding = SimpleNamespace(**vars(silent), latent=4, input_noise=0, posterior=posterior)
    coding.encode = coding.decode = coding.reconstruct = abs
    assert GameSignals(data, 64)(coding) == {"watch/active_units": 1.0}
    assert GameSignals(data, 64)(silent) == {}
