"""Colours and geometry against hand-computed values and torch's own operations."""

import math

import pytest
import torch
import torch.nn.functional as F

from forger.augmentation import colors, geometry

ONES, ZEROS = torch.ones(4), torch.zeros(4)


@pytest.fixture
def images():
    return torch.rand(4, 3, 6, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_colors_change_what_their_names_say(images):
    torch.testing.assert_close(colors.brightness(images, 0.3 * ONES), images + 0.3)
    torch.testing.assert_close(colors.gain(images, 2 * ONES), 2 * images)
    flat = colors.contrast(images, ZEROS)
    torch.testing.assert_close(flat, images.mean((1, 2, 3), keepdim=True).expand_as(images))
    grey = colors.saturation(images, ZEROS)
    torch.testing.assert_close(grey, images.mean(1, keepdim=True).expand_as(images))
    dark = colors.luma_flip(images, torch.tensor([1.0, 0, 1, 0]))
    torch.testing.assert_close(dark[::2].mean(1), -images[::2].mean(1))
    torch.testing.assert_close(dark[::2] - dark[::2].mean(1, keepdim=True), (images - grey)[::2])
    assert torch.equal(dark[1::2], images[1::2])


def test_a_third_of_a_turn_of_hue_exchanges_the_channels(images):
    turned = colors.hue(images, 2 * math.pi / 3 * ONES)
    torch.testing.assert_close(turned, images.roll(1, 1))
    torch.testing.assert_close(colors.hue(images, 0.4 * ONES).mean(1), images.mean(1))


def test_grey_images_have_no_hue_and_no_saturation(images):
    grey = images[:, :1]
    assert torch.equal(colors.hue(grey, ONES), grey)
    assert torch.equal(colors.saturation(grey, ZEROS), grey)


def test_maps_of_whole_pixels_and_quarter_turns_are_exact(images):
    warped = geometry.warped
    assert torch.equal(warped(images, torch.eye(3).expand(4, 3, 3)), images)
    assert torch.equal(warped(images, geometry.scaling(-ONES, ONES)), images.flip(3))
    square = images[:, :, :, :6]
    assert torch.equal(warped(square, geometry.rotation(ZEROS, ONES)), square.rot90(1, (2, 3)))
    right = warped(images, geometry.translation(2 * ONES, -ONES))
    assert torch.equal(right[:, :, :-1, 2:], images[:, :, 1:, :-2])
    assert torch.equal(right[:, :, :-1, :2], images[:, :, 1:, :2].flip(3))  # a mirror at the edge
    assert torch.equal(right[:, :, -1, 2:], images[:, :, -1, :-2])


def test_products_of_maps_act_from_left_to_right(images):
    square = images[:, :, :, :6]
    turn, move = geometry.rotation(ZEROS, ONES), geometry.translation(ONES, ZEROS)
    expected = geometry.warped(geometry.warped(square, turn), move)
    torch.testing.assert_close(geometry.warped(square, turn @ move), expected)


def test_any_affine_map_is_bilinear_sampling_between_mirrors(images):
    """Against torch's own sampler, which agrees on mirrors: reflection at the outer edges of pixels."""
    angle = torch.tensor([0.3, -1.1, 2.0, 0.0])
    maps = (
        geometry.scaling(torch.full((4,), 1.3), torch.full((4,), 0.7))
        @ geometry.rotation(angle.cos(), angle.sin())
        @ geometry.translation(torch.tensor([0.4, 1.7, -3.2, 0.5]), torch.tensor([0.0, -0.6, 2.5, 0.5]))
    )
    h, w = images.shape[2:]
    to_pixels, to_units = torch.diag(torch.tensor([w / 2, h / 2, 1])), torch.diag(torch.tensor([2 / w, 2 / h, 1]))
    theta = (to_units @ maps @ to_pixels)[:, :2]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(geometry.warped(images, maps), expected, rtol=1e-4, atol=1e-4)


def test_moving_leaves_zeros(images):
    moved = geometry.moved(images, torch.tensor([2, 0, -1, 9]), torch.tensor([0, 1, -1, 0]))
    assert torch.equal(moved[0, :, :, 2:], images[0, :, :, :-2])
    assert (moved[0, :, :, :2] == 0).all()
    assert torch.equal(moved[1, :, 1:], images[1, :, :-1])
    assert torch.equal(moved[2, :, :-1, :-1], images[2, :, 1:, 1:])
    assert (moved[3] == 0).all()


def test_maps_can_be_differentiated_twice():
    images = torch.randn(2, 1, 4, 4, dtype=torch.double, requires_grad=True)
    angle = torch.tensor([0.3, 1.0], dtype=torch.double)
    maps = geometry.rotation(angle.cos(), angle.sin())

    def wavy(x):
        return geometry.warped(x, maps).sin()

    assert torch.autograd.gradcheck(wavy, images)
    assert torch.autograd.gradgradcheck(wavy, images)
