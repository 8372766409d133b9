"""A generator of ours in a `.pt2`: what it draws for a score is what its game draws, to the bit."""

from pathlib import Path

import pytest
import torch

from export.untrained import ROWS, THIN, built
from forger.data.pixels.ranges import ValueRange
from forger.errors import ConfigError
from forger.export.about import about_part, as_text
from forger.export.detaching import detached
from forger.export.generator import ExportedGenerator
from forger.export.programs import as_pt2, traced
from forger.games.base import Game
from forger.metrics.evaluations.base import labels_to_ask
from forger.metrics.evaluations.sample_quality import draw_fakes

RUN = {
    "run": {"weights": "ema"},
    "data": {"name": "faces", "fingerprint": "0" * 64},
    "evaluation": {"n": 100, "seed": 4, "extractor": "random"},
}


def written(game: Game, shape: tuple[int, ...], path: Path) -> Path:
    (part,) = detached(game, shape)
    path.write_bytes(as_pt2(traced(part), part, as_text(RUN, about_part(part, game))))
    return path


@pytest.mark.parametrize("overrides", [("model=cgan", ROWS), ("model=cdcgan", THIN)])
def test_more_than_a_chunk_of_deep_images_with_labels(overrides, tmp_path):
    game, shape = built(*overrides, "data=digits")
    game.values = ValueRange.of("uint16", [0, 4095])
    exported = ExportedGenerator(written(game, shape, tmp_path / "generator.pt2"))
    assert (exported.stated.conditions, exported.stated.values) == (game.conditions, game.values)
    assert (exported.stated.n, exported.stated.seed, exported.stated.weights) == (100, 4, "ema")
    stream = torch.Generator().manual_seed(0)
    real = torch.randint(2, (70, 2), generator=stream).float() if game.conditions else torch.arange(70) % 7
    images, labels = exported.draw(600, 3, real)
    wanted = labels_to_ask(game, real, 600, 3)
    assert wanted is not None
    assert labels is not None
    assert torch.equal(labels, wanted)
    assert torch.equal(images, torch.cat([fakes for fakes, _ in draw_fakes(game, 600, wanted, 3, game.values)]))
    assert images.dtype == torch.uint16
    assert len(images.float().unique()) > 500


def test_points_are_no_images(tmp_path):
    path = written(*built("experiment=gaussian_gan"), tmp_path / "generator.pt2")
    with pytest.raises(ConfigError, match=r"generator\.pt2: its samples are points, and an extractor takes images"):
        ExportedGenerator(path)
