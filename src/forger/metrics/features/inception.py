"""The Inception network behind `fid`, `is` and `kid`: torch-fidelity's, with the original papers' weights."""

import io
import logging
import shutil
import urllib.request
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from forger.errors import unreadable
from forger.files import atomic_file
from forger.hashing import file_sha256
from forger.metrics.features.base import Extractor

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
HASH_PREFIX = "6726825d"

log = logging.getLogger(__name__)

#: Height and width that the network takes.
_SIZE = 299
#: By its argument: the name of an extractor of that resize, and what a passport says of it.
_RESIZED = {
    "tf1": ("inception", "TensorFlow-1 bilinear to 299 without antialias"),
    "clean": ("inception_clean", "Pillow bicubic to 299 with antialias"),
}
#: torch-fidelity's modules in the order in which its `forward` calls them, up to the features.
_LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
)


class InceptionExtractor(Extractor):
    """torch-fidelity's InceptionV3 (Szegedy et al. 2016, the FID network of Heusel et al. 2017).

    Features (n, 2048) of the last pooling, logits (n, 1008) without bias as the Inception Score uses them.
    Takes 1 or 3 channels of any size; grey is repeated. The network is torch-fidelity's with batch norm folded into the
    convolutions and channels last: the same features but for rounding (4e-7 of their size), in less time.

    Args:
        weights: a file; None looks where torch-fidelity keeps it, then downloads.
        resize: to 299×299; "tf1" bilinear without antialiasing, as TensorFlow 1 did and the papers' scores have it, or
            "clean", bicubic with antialiasing and unrounded, as Pillow does it (clean-fid: Parmar, Zhang & Zhu 2022).
            The scores of the latter are ``fd_inception_clean`` and so on.
        precision: "float32", or "bfloat16", whose scores compare only with their like.

    Raises:
        FileNotFoundError: the file is missing; the message names it, its place and its hash.
        ValueError: it is another file; the message likewise. Another resize or precision.
    """

    deep = False

    def __init__(self, weights: str | Path | None = None, resize: str = "tf1", precision: str = "float32") -> None:
        if resize not in _RESIZED or precision not in ("float32", "bfloat16"):
            raise ValueError(
                f"the inception extractor: resize={resize}, precision={precision}: resize is tf1 or clean, precision "
                "float32 or bfloat16"
            )
        path = Path(weights) if weights is not None else _standard_weights()
        if not path.is_file():
            raise FileNotFoundError(f"no Inception weights at {path}: get {URL}, sha256 {HASH_PREFIX}…")
        sha256, network = file_sha256(path), _network(path)
        if not sha256.startswith(HASH_PREFIX):
            log.warning(
                "%s (sha256 %s…) is not the standard Inception file (%s…): "
                "its scores compare only with others of the same file",
                path,
                sha256[:8],
                HASH_PREFIX,
            )
        name, how = _RESIZED[resize]
        steps = f"uint8, grey to 3 channels, {how}, (x - 128) / 128"
        super().__init__(name, network, sha256, steps if precision == "float32" else f"{steps}, {precision}")
        self.clean, self.precision = resize == "clean", precision

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1] not in (1, 3):
            raise ValueError(f"the inception extractor takes grey or RGB images, got {images.shape[1]} channels")

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = images.expand(-1, 3, -1, -1).float()
        x = _clean(x) if self.clean else _as_tensorflow1(x)
        x = ((x - 128) / 128).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            for name in _LAYERS:
                x = self.network.get_submodule(name)(x)
        features = x.flatten(1).float()
        return features, features @ self.network.get_parameter("fc.weight").T


def _as_tensorflow1(x: Tensor) -> Tensor:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    return interpolate_bilinear_2d_like_tensorflow1x(x, (_SIZE, _SIZE), align_corners=False)


def _clean(x: Tensor) -> Tensor:
    """As `PIL.Image.resize` with `BICUBIC` of each channel in float mode, clipped to [0, 255]."""
    resized = nn.functional.interpolate(x, (_SIZE, _SIZE), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(0, 255)


def _network(path: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object, **__: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            """Does nothing, since torch-fidelity's constructor would unpickle whatever the file holds."""

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    network = Unloaded("inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=empty)
    try:
        nn.Module.load_state_dict(network, torch.load(path, weights_only=True))
    except Exception as error:  # unpickling, zip and key errors alike
        why = unreadable(error)
        raise ValueError(f"{path} holds no Inception weights ({why}): get {URL}, sha256 {HASH_PREFIX}…") from error
    network = network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, BasicConv2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.add_module("bn", nn.Identity())
    return network.to(memory_format=torch.channels_last)


def standard_file() -> Path:
    """Where torch-fidelity keeps the weights, in torch's hub folder; they need not be there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / FILE


def _standard_weights() -> Path:
    """The standard file, downloaded if it is not there."""
    path = standard_file()
    if path.is_file():
        if not file_sha256(path).startswith(HASH_PREFIX):
            raise ValueError(f"{path} is damaged (its sha256 must begin with {HASH_PREFIX}): delete it")
        return path
    log.info("downloading %s to %s", URL, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file, urllib.request.urlopen(URL, timeout=15) as source:
            shutil.copyfileobj(source, file)
            file.flush()
            if not file_sha256(Path(file.name)).startswith(HASH_PREFIX):
                raise OSError("the download is damaged")
    except OSError as error:
        raise FileNotFoundError(
            f"the Inception weights are not here and can't be downloaded ({error}): get {URL} elsewhere and "
            f"put it at {path} (sha256 {HASH_PREFIX}…), or name the file as the extractor's weights"
        ) from error
    return path
