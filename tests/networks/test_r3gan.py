"""R3GAN's published networks: parameters, filters, sizes."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import interpolate

from forger.config.schema import validate
from forger.networks import r3gan
from running import composed


def official(widths, groups, classes, embedding):
    """Parameters of G and D by the authors' description; widths and groups are those of the stages of G, from 4×4 on.

    A block: 1×1 from w to 2w and a bias, 3×3 in groups and a bias, 1×1 back; two at each stage. Between stages a 1×1
    where the width changes. G: z and the label's vector to w, 4×4×w learned, w to RGB. D: the same backwards, a 4×4
    kernel for each channel, then a linear layer to the logit, or to w beside w for each class.
    """
    blocks = sum(2 * (2 * w * 2 * w + 2 * w * (2 * w // g) * 9 + 4 * w) for w, g in zip(widths, groups, strict=True))
    changes = sum(a * b for a, b in pairwise(widths) if a != b)
    both = blocks + changes + 16 * widths[0] + 3 * widths[-1]
    label = embedding if classes else 0
    return (
        both + (64 + label) * widths[0] + label * classes,
        both + (widths[0] * widths[0] + classes * widths[0] if classes else widths[0]),
    )


#: Preset: size, classes, widths of the stages from 4×4 on, groups, and the parameters of G and of D.
PRESETS = {
    "cifar10": (32, 10, [768] * 4, [96] * 4, 20_781_952, 21_280_512),
    "ffhq64": (64, 0, [768] * 4 + [384], [96] * 4 + [48], 22_429_824, 22_381_440),
    "ffhq256": (256, 0, [768] * 4 + [384, 192, 96], [96] * 4 + [48, 24, 12], 23_057_952, 23_009_568),
    "imagenet32": (32, 1000, [1536] * 4, [96] * 4, 82_914_304, 86_548_992),
    "imagenet64": (64, 1000, [1536] * 5, [96] * 5, 103_570_432, 107_205_120),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_published_presets_have_the_official_number_of_parameters(preset):
    size, classes, widths, groups, of_g, of_d = PRESETS[preset]
    data = ("data=image_folder", f"data.size={size}", f"data.classes={classes}")
    model = validate(composed(*data, "model=r3gan", f"+model/r3gan={preset}")).model
    assert official(widths, groups, classes, 64) == (of_g, of_d)
    for name, kind, expected in (("generator", r3gan.Generator, of_g), ("discriminator", r3gan.Discriminator, of_d)):
        with torch.device("meta"):
            network = kind(**{key: value for key, value in model[name].items() if key != "_target_"})
        assert sum(weight.numel() for weight in network.parameters()) == expected


def test_the_filters_by_hand():
    """[1, 3, 3, 1] / 4 between zeros up, [1, 3, 3, 1] / 8 down, both with zeros beyond the edges."""
    line = torch.tensor([4.0, 8.0, 0.0, 16.0])
    square = line[:, None] * line
    up = torch.tensor([3.0, 5.0, 7.0, 6.0, 2.0, 4.0, 12.0, 12.0])
    torch.testing.assert_close(r3gan.Enlarge((8, 8))(square[None, None])[0, 0], up[:, None] * up)
    down = torch.tensor([(3 * 4 + 3 * 8 + 0) / 8, (8 + 0 + 3 * 16) / 8])
    torch.testing.assert_close(r3gan.Shrink()(square[None, None])[0, 0], down[:, None] * down)


def test_away_from_the_edges_the_filter_is_bilinear_interpolation():
    x = torch.randn(2, 3, 6, 5)
    bilinear = interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(r3gan.Enlarge((12, 10))(x)[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1])
    assert r3gan.Enlarge((13, 10))(x).shape == (2, 3, 13, 10)
    assert r3gan.Shrink()(torch.randn(1, 2, 7, 14)).shape == (1, 2, 3, 7)


@pytest.mark.parametrize(("size", "smallest"), [(8, 4), (28, 2), ([12, 20], 4), (64, 4)])
@pytest.mark.parametrize("classes", [0, 3])
def test_published_networks_take_every_size(size, smallest, classes):
    options = {"classes": classes, "blocks": 1, "smallest": smallest, "published": True, "max_width": 8}
    height, width = (size, size) if isinstance(size, int) else size
    labels = torch.tensor([0, 1]) if classes else None
    images = r3gan.Generator(5, size, 2, 4, tanh=False, **options)(torch.randn(2, 5), labels)
    assert images.shape == (2, 2, height, width)
    assert r3gan.Discriminator(size, 2, 4, **options)(images, labels).shape == (2,)
    if classes:
        D = r3gan.Discriminator(size, 2, 4, **options)
        assert not torch.equal(D(images, torch.tensor([0, 1])), D(images, torch.tensor([2, 2])))


def test_only_tanh_keeps_images_within_bounds():
    torch.manual_seed(0)
    bounded, free = (r3gan.Generator(4, 8, 1, 8, tanh=tanh, published=True) for tanh in (True, False))
    free.load_state_dict(bounded.state_dict())
    z = 9 * torch.randn(16, 4)
    assert free(z).abs().max() > 1 >= bounded(z).abs().max()
    torch.testing.assert_close(free(z).tanh(), bounded(z))


def test_groups_have_as_many_channels_as_asked_for():
    assert [r3gan.Block(1536, 8, group=g).mix.groups for g in (16, 32)] == [192, 96]
    assert r3gan.Block(768, 8).mix.groups == 96
