"""The content features that forger ships: a small network that forger trained itself, no VGG19."""

from pathlib import Path

from forger.networks.super_resolution import ConvFeatures

# Written by scripts/train_content.py.
CONTENT_WEIGHTS = Path(__file__).with_name("content.safetensors")
WIDTH, DEPTH = 16, 3


class PhotoFeatures(ConvFeatures):
    """Features (N, 64, h/4, w/4) of RGB images in [-1, 1]: a content loss where there is no VGG19.

    `scripts/train_content.py` trained it to tell what was done to a patch of the two photographs' training
    regions (shrunk and enlarged, pixelated, noise, shuffled blocks), without labels or other pictures. Far weaker than
    VGG19, which was trained on a million pictures. Scaled so that the features' mean square there is 1.
    """

    name = "photo"

    def __init__(self) -> None:
        super().__init__(3, WIDTH, DEPTH, str(CONTENT_WEIGHTS))
