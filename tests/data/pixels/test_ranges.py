"""Pixels of any depth to [-1, 1] and back."""

import pytest
import torch

from forger.data.pixels.ranges import BYTES, ValueRange, to_float, to_uint8

BOTH = pytest.mark.parametrize("depth", ["uint8", "uint16"])


def levels(depth: str) -> torch.Tensor:
    n = 2 ** (8 if depth == "uint8" else 16)
    return torch.arange(n, dtype=torch.int32).to(getattr(torch, depth)).reshape(1, 1, -1, 16)


@BOTH
def test_every_level_comes_back(depth):
    values, pixels = ValueRange.of(depth), levels(depth)
    images = values.to_float(pixels)
    assert (images.min().item(), images.max().item()) == (-1, 1)
    assert torch.equal(values.to_pixels(images), pixels)
    assert values.to_pixels(torch.tensor([-3.0, 3.0])).tolist() == [values.low, values.high]


def test_bytes_are_computed_as_they_always_were():
    pixels = levels("uint8")
    assert ValueRange.of("uint8", [0, 255]) == ValueRange.of("uint8") == BYTES
    assert torch.equal(to_float(pixels), pixels.float().div(127.5).sub(1))
    assert torch.equal(to_uint8(torch.tensor([-1.5, 0.0, 0.003, 1.0])), torch.tensor([0, 128, 128, 255]).byte())
    assert torch.equal(BYTES.unit(pixels), pixels.double() / 255)
    assert BYTES.of_255(pixels) is pixels


def test_floats_keep_their_unit_and_are_clipped_at_the_range():
    values = ValueRange.of("float32", [-1024, 3071.5])
    pixels = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 4095.5 - 1024
    before = pixels.clone()
    images = values.to_float(pixels)
    assert torch.equal(pixels, before)
    assert (values.to_pixels(images) - pixels).abs().max() <= 4095.5e-6
    assert values.to_float(torch.tensor([[[[-2000.0, 9000.0]]]])).tolist() == [[[[-1, 1]]]]
    assert values.of_255(torch.tensor([-2000.0, 1023.75, 9000.0])).tolist() == [0, 127.5, 255]
    assert values.drawn(torch.tensor([-1024.0, 3071.5])).tolist() == [0, 255]


def test_a_window_of_a_deep_range_uses_all_of_the_scale():
    values = ValueRange.of("uint16", [0, 4095])
    assert values.to_float(torch.tensor([[[[0, 4095]]]], dtype=torch.uint16)).tolist() == [[[[-1, 1]]]]
    assert values.unit(torch.tensor([0, 4095, 60000], dtype=torch.uint16)).tolist() == [0, 1, 1]
    assert str(values) == "uint16 from 0 to 4095"


@pytest.mark.parametrize(("depth", "given"), [("float32", None), ("float32", [1, 1]), ("uint16", [5, 2])])
def test_a_range_that_says_nothing_is_refused(depth, given):
    with pytest.raises(ValueError, match=r"^data\.range="):
        ValueRange.of(depth, given)
