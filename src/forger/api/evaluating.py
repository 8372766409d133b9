"""Scores of images, runs and files, as `forger evaluate` computes them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from forger.api.guarding import guarded
from forger.api.handle import Run
from forger.data.imagesets import ImageSet, image_array, split_of
from forger.errors import ConfigError
from forger.lifecycle.restore import data_of
from forger.run_folder import RunFolder
from forger.scoring import scored
from forger.scoring.asked import Asked
from forger.sources import source_at, source_of

logger = logging.getLogger(__name__)


def evaluate(
    source: Run | str | Path | ArrayLike,
    *,
    reference: Run | str | Path | ArrayLike | None = None,
    extractor: str | None = None,
    weights: str | Path | None = None,
    preprocess: Mapping[str, Any] | None = None,
    scores: str | Sequence[str] | None = None,
    n: int | None = None,
    seed: int | None = None,
    trust: bool = False,
    data_root: str | Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Scores against real images, as ``forger evaluate --json`` gives them.

    Args:
        source: images (n, c, h, w), uint8, or uint16 or floats of the range that the other side states; a run; or what
            the command takes: a folder or file of images, an exported generator.
        reference: real images, an array too; a data set ("digits/train"), a path or a run, for its data; by default
            the test split of a run's own data.
        extractor: "digits", "inception", …, a file or a module, as of the command; by default the run's own, or what
            suits the reference.
        weights: file of the extractor's weights.
        preprocess: of a module of yours: ``{"size": 224, "antialias": True}``.
        scores: their names; by default the run's own, or fd, is, kd, precision, recall.
        n: how many images of the source.
        seed: of the latents or the subset.
        trust: build and read whatever the config of a run at a path names.
        data_root: where a run's data are here.

    Returns:
        Name → ``value``, ``error`` (standard error; None where unknown), ``higher_is_better``, ``passport``.

    Raises:
        ConfigError: an option makes no sense, or scores of these images would be wrong.
    """
    with guarded():
        places = {} if data_root is None else {"data.root": str(data_root)}
        if isinstance(source, Run):
            trust, places = trust or source._trust, places or source._places
        given = None if weights is None else str(weights)
        real = None if reference is None else _real(reference)
        names = [scores] if isinstance(scores, str) else scores
        asked = Asked(real, extractor, given, preprocess, names, n, seed)
        what = _place(source, "images")
        mixture = source._mixture if isinstance(source, Run) else None
        if isinstance(what, ImageSet):
            found = source_of(what)
        else:
            found = source_at(Path(what), trust=trust, places=places, mixture=mixture)
        result, notes = scored(found, asked, trust=trust, places=places)
        for note in notes:
            logger.warning(note)
        return result


def _real(reference: Run | str | Path | ArrayLike) -> str | ImageSet:
    """Real images; of a run, those of the test split of its data, where this run finds them."""
    if not isinstance(reference, Run):
        return _place(reference, "reference")
    places = None if reference._trust else reference._places
    return split_of(data_of(RunFolder(reference.path), reference.config.data, places), "test")


def _place(given: Run | str | Path | ArrayLike, name: str) -> str | ImageSet:
    """The path of a run or a place; images as they are."""
    if isinstance(given, Run):
        if given._raw:
            raise ConfigError("evaluate: a run is scored by its averaged weights; load it without raw_weights")
        which = given._checkpoint
        return str(given.path if which is None else given.path / "checkpoints" / f"{which}.ckpt")
    if isinstance(given, str | Path):
        return str(given)
    return image_array(name, np.asarray(given))
