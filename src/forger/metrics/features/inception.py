"""The Inception network behind `fid`, `is` and `kid`: torch-fidelity's, with the original papers' weights."""

import io
import logging
import shutil
import urllib.request
from pathlib import Path

import torch
from torch import Tensor, nn

from forger.errors import unreadable
from forger.files import atomic_file
from forger.hashing import file_sha256
from forger.metrics.features.base import Extractor

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
HASH_PREFIX = "6726825d"

log = logging.getLogger(__name__)


class InceptionExtractor(Extractor):
    """torch-fidelity's InceptionV3 (Szegedy et al. 2016, the FID network of Heusel et al. 2017).

    Features (n, 2048) of the last pooling, logits (n, 1008) without bias as the Inception Score uses them.
    Takes 1 or 3 channels of any size; grey is repeated, and the network resizes to 299×299 as TensorFlow 1
    did, without antialiasing. `weights`: a file; None looks where torch-fidelity keeps it, then downloads.

    Raises:
        FileNotFoundError: the file is missing; the message names it, its place and its hash.
        ValueError: it is another file; the message likewise.
    """

    def __init__(self, weights: str | Path | None = None) -> None:
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
        steps = "uint8, grey to 3 channels, TensorFlow-1 bilinear to 299 without antialias, (x - 128) / 128"
        super().__init__("inception", network, sha256, steps)

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1] not in (1, 3):
            raise ValueError(f"the inception extractor takes grey or RGB images, got {images.shape[1]} channels")

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images.expand(-1, 3, -1, -1))


def _network(path: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

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
    return network


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
