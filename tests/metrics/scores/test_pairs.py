"""PSNR, SSIM and perceptual distances as metrics: equal to torchmetrics', whatever the portions."""

import math

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from forger.metrics.features.perceptual import Distance
from forger.metrics.scores.paired import PeakSignalNoiseRatio, PerceptualDistance, StructuralSimilarity

TRUTH = torch.randint(256, (7, 3, 16, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MADE = (
    (TRUTH.int() + torch.randint(-30, 31, TRUTH.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 255).byte()
)


class Brightness(Distance):
    name = "brightness"
    about: dict[str, str] = {}  # noqa: RUF012

    def __call__(self, images, truth):
        return (images.double().flatten(1).mean(1) - truth.double().flatten(1).mean(1)).abs()


def similarity_where_the_window_fits(made, truth, data_range):
    """Less the border, where torchmetrics looks at reflections, which the paper's authors do not."""
    _, places = structural_similarity_index_measure(made, truth, data_range=data_range, return_full_image=True)
    return places[..., 5:-5, 5:-5].mean()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(PeakSignalNoiseRatio, peak_signal_noise_ratio), (StructuralSimilarity, similarity_where_the_window_fits)],
)
def test_equal_to_torchmetrics_in_portions_of_any_size(ours, theirs):
    metric = ours()
    for made, truth in zip(MADE.split([2, 4, 1]), TRUTH.split([2, 4, 1]), strict=True):
        metric.update(made, truth)
    assert float(metric.compute()) == pytest.approx(float(theirs(MADE.double(), TRUTH.double(), data_range=255.0)))


def test_halves_of_two_ranks_are_the_whole():
    whole, first, second = (PerceptualDistance(Brightness()) for _ in range(3))
    whole.update(MADE, TRUTH)
    first.update(MADE[::2], TRUTH[::2])
    second.update(MADE[1::2], TRUTH[1::2])
    first.merge_state(second)
    assert float(first.compute()) == pytest.approx(float(whole.compute()), rel=1e-12)
    assert float(whole.compute()) == pytest.approx(float(Brightness()(MADE, TRUTH).mean()))


def test_edges():
    metric = PeakSignalNoiseRatio()
    metric.update(TRUTH, TRUTH)
    assert float(metric.compute()) == math.inf
    with pytest.raises(ValueError, match="do not pair"):
        metric.update(TRUTH[:3], TRUTH)
    with pytest.raises(ValueError, match="uint8"):
        metric.update(TRUTH.float(), TRUTH.float())
    with pytest.raises(ValueError, match="window of 11x11"):
        StructuralSimilarity().update(TRUTH[..., :8, :8], TRUTH[..., :8, :8])
