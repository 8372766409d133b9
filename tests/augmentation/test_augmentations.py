"""Instance noise, DiffAugment and the adaptive kind: what each promises, and the controller of the last."""

import pytest
import torch

from forger.augmentation.adaptive import Adaptive
from forger.augmentation.differentiable import DiffAugment
from forger.augmentation.noise import InstanceNoise
from forger.games.schedules import linear
from forger.randomness import Noise

ALL = [InstanceNoise(0.1), DiffAugment(), Adaptive(p=0.8)]


def noise(seed=0, rank=0, world=1):
    return Noise(torch.Generator().manual_seed(seed), rank, world)


def pictures(n=16, channels=3, size=8):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)
class TestEach:
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("size", [8, 28, 64])
    def test_shapes_stay_and_numbers_are_finite(self, augmentation, channels, size):
        images = pictures(4, channels, size)
        changed = augmentation(images, noise(), 0)
        assert changed.shape == images.shape
        assert changed.isfinite().all()
        assert not torch.equal(changed, images)

    def test_it_is_a_function_of_the_noise(self, augmentation):
        images, state = pictures(), torch.get_rng_state()
        assert torch.equal(augmentation(images, noise(3), 0), augmentation(images, noise(3), 0))
        assert not torch.equal(augmentation(images, noise(3), 0), augmentation(images, noise(4), 0))
        assert torch.equal(torch.get_rng_state(), state)

    def test_ranks_see_what_one_process_sees(self, augmentation):
        images = pictures()
        whole = augmentation(images, noise(), 0)
        for rank in range(2):
            torch.testing.assert_close(augmentation(images[rank::2], noise(0, rank, 2), 0), whole[rank::2])

    def test_gradients_pass_once_and_twice(self, augmentation):
        images = pictures(2, 3, 6).double().requires_grad_()

        def wavy(x):
            return augmentation(x, noise(), 0).sin()

        assert torch.autograd.gradcheck(wavy, images)
        assert torch.autograd.gradgradcheck(wavy, images)

    def test_half_precision_is_left(self, augmentation):
        images = pictures().bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            changed = augmentation(images, noise(), 0)
        assert torch.equal(changed, augmentation(images.float(), noise(), 0))


def test_points_take_noise_and_nothing_else():
    points = torch.zeros(5, 2)
    assert InstanceNoise(0.1)(points, noise(), 0).shape == (5, 2)
    with pytest.raises(ValueError, match="DiffAugment changes images, and these data are points"):
        DiffAugment()(points, noise(), 0)


def test_instance_noise_has_the_deviation_of_its_schedule():
    half = InstanceNoise(0.2, lambda shown: linear(shown, budget=1000))
    images = torch.zeros(64, 1, 16, 16)
    assert half(images, noise(), 0).std().item() == pytest.approx(0.2, rel=0.02)
    assert half(images, noise(), 500).std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(half(images, noise(), 1000), images)


def test_an_empty_policy_and_a_probability_of_zero_change_nothing():
    images = pictures()
    assert torch.equal(DiffAugment(policy=[])(images, noise(), 0), images)
    assert torch.equal(Adaptive(p=0.0)(images, noise(), 0), images)


def test_colours_of_diffaugment_have_their_ranges():
    images = torch.full((4000, 1, 2, 2), 0.25)
    shift = DiffAugment(policy=["color"])(images, noise(), 0)[:, 0, 0, 0] - 0.25  # flat: contrast does nothing
    assert -0.5 <= shift.min() < -0.49
    assert 0.49 < shift.max() < 0.5
    edge = torch.tensor([-1.0, 1, 1, -1]).reshape(1, 1, 2, 2).expand(4000, -1, -1, -1)
    spread = DiffAugment(policy=["color"])(edge, noise(), 0).std((1, 2, 3)) / edge[0].std()
    assert 0.5 <= spread.min() < 0.51
    assert 1.49 < spread.max() <= 1.5


def test_translation_reaches_an_eighth_each_way_as_often():
    images = torch.zeros(4000, 1, 16, 16)
    images[:, :, 8, 8] = 1
    place = DiffAugment(policy=["translation"])(images, noise(), 0).flatten(1).argmax(1)
    for along in (place // 16, place % 16):
        counts = torch.bincount(along, minlength=16)
        assert counts.nonzero().flatten().tolist() == [6, 7, 8, 9, 10]
        assert (counts[6:11] / 4000).sub(0.2).abs().max() < 0.03


def test_cutout_leaves_a_square_hole_of_half_the_side():
    holes = DiffAugment(policy=["cutout"])(torch.ones(500, 3, 8, 8), noise(), 0) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    heights, widths = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(holes[:, 0].sum((1, 2)), heights * widths)
    assert (heights.min(), heights.max()) == (2, 4)  # cut short at the edges
    assert holes[:, 0].float().mean(0).min() > 0.05  # it comes everywhere


@pytest.mark.parametrize("group", ["blit", "geometry", "color"])
def test_the_share_of_changed_images_follows_p(group):
    images = pictures(2000, 1)
    shares = {}
    for p in (0.1, 0.5, 1.0):
        changed = Adaptive([group], p=p)(images, noise(), 0)
        shares[p] = (changed - images).abs().amax((1, 2, 3)).gt(1e-6).float().mean().item()
    assert shares[0.1] < shares[0.5] < shares[1.0]
    # each of k changes is on with probability p (some of them do nothing half of the time)
    assert shares[0.1] < 1 - 0.9**6


def watched(adaptive, logits, rounds, images=64):
    path = []
    for _ in range(rounds):
        adaptive.learn(logits, images)
        path.append(adaptive.p.item())
    return path


def test_p_rises_while_reals_are_known_by_heart_and_falls_when_they_are_not():
    adaptive = Adaptive(every=4, speed=6400)  # 4 · 64 / 6400 = 0.04 a time
    path = watched(adaptive, torch.full((8,), 3.0), 9)
    assert path == pytest.approx([0, 0, 0, 0, 0.04, 0.04, 0.04, 0.04, 0.08])
    unsure = torch.tensor([1.0, 1, 1, 1, 1, 1, -1, -1])  # r = 0.5, under the target
    path = watched(adaptive, unsure, 9)  # the first adjustment is still for the sure rounds
    assert path[3] == pytest.approx(0.12)
    assert path[7] == pytest.approx(0.08)


def test_p_stays_a_probability():
    adaptive = Adaptive(every=1, speed=200)
    assert max(watched(adaptive, torch.ones(4), 20)) == 1
    assert min(watched(adaptive, -torch.ones(4), 20)) == 0


def test_the_controllers_state_is_saved():
    adaptive, again = Adaptive(every=4, speed=6400), Adaptive(every=4, speed=6400)
    watched(adaptive, torch.ones(8), 6)
    again.load_state_dict(adaptive.state_dict())
    assert watched(again, torch.ones(8), 7) == watched(adaptive, torch.ones(8), 7)
