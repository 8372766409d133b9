"""The content features that forger ships: a small network that forger trained itself, no VGG19."""

from pathlib import Path

from forger.networks.super_resolution import ConvFeatures

# Written by scripts/train_content.py.
CONTENT_WEIGHTS = Path(__file__).with_name("content.safetensors")
WIDTH, DEPTH = 16, 3


def photo_features() -> ConvFeatures:
    """Features (N, 64, h/4, w/4) of RGB images in [-1, 1], for a content loss without VGG19 (its place in SRGAN).

    Trained by `scripts/train_content.py` to tell by how many quarters a patch of the two photographs' training
    regions was turned (Gidaris et al. 2018): no labels, nothing from elsewhere. Far weaker than VGG19, which saw
    a million pictures. Scaled so that features have a mean square of 1 on those patches.
    """
    return ConvFeatures(3, WIDTH, DEPTH, str(CONTENT_WEIGHTS))
