"""The colours of variants can be told apart by colour-blind people too, and seen on their background."""

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

CSS = files("forger.pages").joinpath("templates/base.css").read_text()
#: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    dark, light = sorted(XYZ[1] @ linear(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def theme(name: str) -> dict[str, str]:
    block = CSS[CSS.index(":root {") if name == "light" else CSS.index('[data-theme="dark"]') :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block[: block.index("}")]))


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_variants_differ_in_colour(name, deficiency):
    matrix = np.array(DEFICIENCIES[deficiency])
    seen = [lab(matrix @ linear(theme(name)[f"c{i}"])) for i in range(8)]
    least = min((float(np.linalg.norm(seen[a] - seen[b])), a, b) for a, b in itertools.combinations(range(8), 2))
    # A difference of 2.3 is just noticeable.
    assert least[0] > 13, least


@pytest.mark.parametrize("name", ["light", "dark"])
def test_colours_stand_out(name):
    colours = theme(name)
    for i in range(8):
        # Lines want 3 (WCAG 1.4.11), letters on or in the colour 4.5.
        assert min(contrast(colours[f"c{i}"], colours[ground]) for ground in ("card", "paper")) > 4.5, i
    for text in ("ink", "soft", "good", "bad", "accent"):
        assert contrast(colours[text], colours["paper"]) > 4.5, text
