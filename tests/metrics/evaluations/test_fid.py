"""`metrics=fid` and `fid50k`, their reference and published statistics, against torch-fidelity called directly."""

import json
from functools import cache

import numpy
import pytest
import torch
from hydra.utils import instantiate
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from forger.cli import main
from forger.data.dataset import Data, Split
from forger.data.pixels.ranges import to_float
from forger.errors import ConfigError
from forger.metrics.features.statistics import read_statistics
from metrics.doubles import pictures, random_inception
from running import composed

FAKES = pictures(12, (3, 8, 8), seed=1, high=200)
SPLITS = [Split({"image": pictures(n, (3, 8, 8), seed=n)}) for n in (16, 12, 14)]
DATA = Data("noise", *SPLITS)


class Game:
    """Draws `FAKES`."""

    device, rank, world, averaged, classes, conditions = torch.device("cpu"), 0, 1, False, 0, ()

    def sample(self, n, labels=None, generator=None, *, only=None):
        return to_float(FAKES[:n] if only is None else FAKES[only])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_inception(tmp_path_factory.mktemp("inception"))


@pytest.fixture(scope="module")
def statistics(weights):
    """torch-fidelity's, of the fakes and of each split."""
    network = FeatureExtractorInceptionV3("theirs", ["2048"], feature_extractor_weights_path=str(weights))
    sets = {"fakes": FAKES} | {name: DATA.splits[name].arrays["image"] for name in ("train", "test")}
    return {name: fid_features_to_statistics(network(images)[0]) for name, images in sets.items()}


@pytest.fixture(scope="module")
def wanted(statistics):
    """torch-fidelity's FID of the fakes against a split."""

    @cache
    def of(split):
        metric = fid_statistics_to_metric(statistics["fakes"], statistics[split], verbose=False)
        return metric["frechet_inception_distance"]

    return of


@pytest.fixture
def evaluation(weights):
    def build(metrics, *overrides):
        place = "metrics.evaluations.quality"
        config = composed(f"metrics={metrics}", f"+{place}.weights={weights}", *(f"{place}.{o}" for o in overrides))
        return instantiate(config.metrics.evaluations.quality)

    return build


@pytest.mark.parametrize(("metrics", "split", "name"), [("fid", "test", "fid"), ("fid50k", "train", "fid_train")])
@pytest.mark.long
def test_fid_is_that_of_torch_fidelity(metrics, split, name, evaluation, wanted):
    built = evaluation(metrics, "splits=2")
    assert built.published == [name, "is", name.replace("fid", "kid")]
    built.check(DATA)
    found = built.estimate(Game(), DATA, "test", n=12, seed=0)
    assert {name, "is", "is_std", name.replace("fid", "kid")} == set(found)
    assert found[name].value == pytest.approx(wanted(split), rel=1e-5)
    passport = built.passport(Game(), DATA, "test", n=12, seed=0)
    assert (passport["split"], passport["n_real"]) == (f"noise/{split}", len(DATA.splits[split]))
    assert not built.higher_is_better(name)
    # The training images are looked at once, whatever is scored.
    assert (built._prepared(DATA, "test") is built._prepared(DATA, "validation")) == (split == "train")


@pytest.mark.long
def test_published_statistics_are_a_reference(evaluation, statistics, wanted, tmp_path):
    real = statistics["test"]
    numpy.savez(tmp_path / "noise.npz", mu=real["mu"], sigma=real["sigma"])
    built = evaluation("fid", f"file={tmp_path / 'noise.npz'}", "scores=[fid,is]", "splits=2")
    assert built.estimate(Game(), DATA, "test", n=12, seed=0)["fid"].value == pytest.approx(wanted("test"), rel=1e-5)
    assert built.evaluate(Game(), DATA, "test", n=12, seed=0)["fid"] == pytest.approx(wanted("test"), rel=1e-5)
    passport = built.passport(Game(), DATA, "test", n=12, seed=0)
    assert (passport["split"], passport["n_real"]) == ("noise.npz", 0)
    with pytest.raises(
        Exception, match=r"vendi needs the real images, of which noise\.npz has only mean and covariance"
    ):
        evaluation("fid", f"file={tmp_path / 'noise.npz'}", "scores=[fid,vendi]")
    with pytest.raises(Exception, match=r"kid needs the real images, of which noise\.npz has only mean and covariance"):
        evaluation("fid", f"file={tmp_path / 'noise.npz'}")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"mu": numpy.zeros(3)}, "no arrays 'mu' and 'sigma'; it has mu"),
        (
            {"mu": numpy.zeros(3), "sigma": numpy.eye(2)},
            r"'sigma' float64 \(2, 2\); floats of shape \(d,\) and \(d, d\)",
        ),
        ({"mu": numpy.full(2, numpy.nan), "sigma": numpy.eye(2)}, "NaN or infinity"),
        ({"mu": numpy.array([None]), "sigma": numpy.eye(1)}, "can't be read as .npz"),
    ],
)
def test_files_that_hold_no_statistics(arrays, said, tmp_path):
    numpy.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(ConfigError, match=said):
        read_statistics(tmp_path / "some.npz")


def test_statistics_of_other_features(evaluation, tmp_path):
    numpy.savez(tmp_path / "other.npz", mu=numpy.zeros(64), sigma=numpy.eye(64))
    built = evaluation("fid", f"file={tmp_path / 'other.npz'}", "scores=[fid]")
    with pytest.raises(ValueError, match=r"other\.npz has 64 features, the inception extractor 2048"):
        built.check(DATA)


@pytest.mark.long
def test_images_are_scored_against_published_statistics(weights, statistics, wanted, tmp_path, capsys):
    real = statistics["test"]
    numpy.savez(tmp_path / "noise.npz", mu=real["mu"], sigma=real["sigma"])
    numpy.savez(tmp_path / "fakes.npz", samples=FAKES.permute(0, 2, 3, 1).numpy())
    typed = ["evaluate", str(tmp_path / "fakes.npz"), "--reference", str(tmp_path / "noise.npz"), "--json"]
    typed += ["--extractor", "inception", "--weights", str(weights)]
    assert main(typed) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert {"fid", "is"} == set(scores)
    assert scores["fid"]["value"] == pytest.approx(wanted("test"), rel=1e-5)
    assert main([*typed, "--scores", "kid"]) == 2
    assert "kd needs the real images, of which noise.npz has only mean and covariance" in capsys.readouterr().err
