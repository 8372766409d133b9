"""Values that shipped presets compute from the size of the pictures."""

import pytest
from omegaconf import OmegaConf

from forger.config import resolvers


@pytest.mark.parametrize(
    ("size", "value"), [(4, "a"), (8, "a"), (27, "a"), (28, "b"), (32, "b"), (64, "c"), (256, "c")]
)
def test_the_largest_size_that_is_not_above_the_pictures_decides(size, value):
    assert resolvers.at_size(size, {64: "c", 8: "a", 28: "b"}) == value


def test_a_config_may_choose_lists_and_multiply():
    config = OmegaConf.create(
        """
        size: 28
        widths: ${at_size:${size},{8:[256,128],28:[512,256]}}
        pixels: ${product:0.5,${size},${size}}
        """
    )
    assert OmegaConf.to_container(config, resolve=True) == {"size": 28, "widths": [512, 256], "pixels": 392}


def test_a_value_of_the_wrong_type_is_left_for_the_check_of_its_own_key():
    assert resolvers.at_size("abc", {8: 1, 28: 2}) == 1  # pyright: ignore[reportArgumentType]
    assert resolvers.product(2, "abc") is None  # pyright: ignore[reportArgumentType]
