"""The Inception network and its scores against torch-fidelity called directly, with random weights."""

import io
import urllib.error

import numpy
import pytest
import torch
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from forger.metrics.features import extractors, inception
from forger.metrics.features.inception import FILE, InceptionExtractor
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from metrics.doubles import pictures, random_inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_inception(tmp_path_factory.mktemp("inception"))


@pytest.fixture(scope="module")
def ours(weights) -> InceptionExtractor:
    return InceptionExtractor(weights)


@pytest.fixture(scope="module")
def theirs(weights) -> FeatureExtractorInceptionV3:
    names = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("theirs", names, feature_extractor_weights_path=str(weights))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 2, 2), (3, 37, 301)])
def test_features_of_ordinary_grey_tiny_and_odd_images(ours, theirs, shape):
    images = pictures(2, shape)
    features, logits = theirs(images.expand(-1, 3, -1, -1))
    mine = ours.train()(images)
    torch.testing.assert_close(mine.features, features, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mine.logits, logits, rtol=1e-6, atol=1e-6)


def test_scores_equal_those_of_torch_fidelity(ours, theirs):
    real, fake = pictures(8, (1, 8, 8), 0), pictures(8, (1, 8, 8), 1, high=200)
    f_real, f_fake = (theirs(images.expand(-1, 3, -1, -1)) for images in (real, fake))
    reference = Reference.build(ours, real, split="random", batch_size=5)
    scores = Scores(ours, reference, ["fid", "is", "kid", "precision", "recall"], splits=4)
    for part in fake.split(5):
        scores.update(part)
    values = scores.compute()

    # In a basis of what these few features span they are as far apart, and a matrix root takes no seconds.
    basis = torch.linalg.qr(torch.cat([f_fake[0], f_real[0]]).double().T).Q
    statistics = [fid_features_to_statistics(features[0].double() @ basis) for features in (f_fake, f_real)]
    fid = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert values["fid"] == pytest.approx(fid, rel=1e-5)
    isc = isc_features_to_metric(f_fake[1], 4, shuffle=True, rng_seed=2020)
    assert values["is"] == pytest.approx(isc["inception_score_mean"], rel=1e-5)
    assert values["is_std"] == pytest.approx(isc["inception_score_std"], rel=1e-4)
    kid = kid_features_to_metric(f_fake[0], f_real[0], kid_subset_size=8, kid_subsets=1, verbose=False)
    assert values["kid"] == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-4)
    prc = prc_features_to_metric(f_fake[0], f_real[0], prc_neighborhood=3, save_cpu_ram=False, verbose=False)
    assert values["precision_inception"] == pytest.approx(prc["precision"], abs=1e-6)
    assert values["recall_inception"] == pytest.approx(prc["recall"], abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 37, 512), (3, 640, 480)])
def test_the_clean_resize_is_pillows(shape, weights):
    clean = InceptionExtractor(weights, resize="clean")
    resized = []
    clean.network.get_submodule("Conv2d_1a_3x3").register_forward_pre_hook(lambda _, given: resized.append(given[0]))
    images = pictures(2, shape)
    assert (clean(images).features.shape, clean.name) == ((2, 2048), "inception_clean")
    for made, image in zip(resized[0], images, strict=True):
        channels = [Image.fromarray(channel.float().numpy(), "F") for channel in image.expand(3, -1, -1)]
        wanted = [numpy.asarray(one.resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255) for one in channels]
        torch.testing.assert_close(made * 128 + 128, torch.tensor(numpy.stack(wanted)), rtol=0, atol=1)


def test_bfloat16_is_near_and_says_so(ours, weights):
    coarse, images = InceptionExtractor(weights, precision="bfloat16"), pictures(2, (3, 32, 32))
    fine = ours(images).features
    assert 0 < (coarse(images).features - fine).abs().max() < 0.02 * fine.abs().max()
    assert coarse.preprocessing == f"{ours.preprocessing}, bfloat16"


@pytest.mark.parametrize("given", [{"resize": "bicubic"}, {"precision": "16"}, {"size": 299}])
def test_no_other_preprocessing(given, weights):
    with pytest.raises(ValueError, match="inception"):
        extractors.build("inception", weights, **given)


def test_other_channels_are_refused(ours):
    with pytest.raises(ValueError, match="grey or RGB images, got 4 channels"):
        ours(pictures(1, (4, 8, 8)))


def test_other_weights_are_announced(weights, caplog):
    InceptionExtractor(weights)
    assert "is not the standard Inception file (6726825d…)" in caplog.text


def test_a_file_that_holds_something_else(tmp_path):
    for name, content in (("text.pth", "hello"), ("wrong.pth", {"a": torch.ones(1)})):
        path = tmp_path / name
        path.write_text(content) if isinstance(content, str) else torch.save(content, path)
        with pytest.raises(ValueError, match=rf"{name} holds no Inception weights .*6726825d") as caught:
            InceptionExtractor(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"no Inception weights at .*absent.*6726825d"):
        InceptionExtractor(tmp_path / "absent.pth")


class TestStandardWeights:
    @pytest.fixture(autouse=True)
    def hub(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        self.place = tmp_path / "hub" / "checkpoints" / FILE

    def test_without_a_network_one_line_says_what_to_do(self, monkeypatch):
        def no_network(*_, **__):
            raise urllib.error.URLError("Name or service not known")

        monkeypatch.setattr(inception.urllib.request, "urlopen", no_network)
        with pytest.raises(FileNotFoundError) as caught:
            InceptionExtractor()
        line = str(caught.value)
        assert "\n" not in line
        assert all(part in line for part in (inception.URL, str(self.place), "6726825d", "Name or service"))
        assert not self.place.exists()

    def test_a_damaged_download_leaves_nothing(self, monkeypatch):
        monkeypatch.setattr(inception.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"half a file"))
        with pytest.raises(FileNotFoundError, match="the download is damaged"):
            InceptionExtractor()
        assert list(self.place.parent.iterdir()) == []

    def test_a_download_is_kept_and_found_again(self, monkeypatch, weights):
        downloads = []

        def network(*_, **__):
            downloads.append(1)
            return io.BytesIO(weights.read_bytes())

        monkeypatch.setattr(inception, "HASH_PREFIX", inception.file_sha256(weights)[:8])
        monkeypatch.setattr(inception.urllib.request, "urlopen", network)
        assert InceptionExtractor().weights_sha256 == InceptionExtractor().weights_sha256
        assert downloads == [1]
        assert self.place.is_file()

    def test_a_damaged_file_in_the_cache(self):
        self.place.parent.mkdir(parents=True)
        self.place.write_bytes(b"half a file")
        with pytest.raises(ValueError, match=r"is damaged .*delete it"):
            InceptionExtractor()
