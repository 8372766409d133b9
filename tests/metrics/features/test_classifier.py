"""Extractors of one's own: made by a command, kept in a file without code, read again with suspicion."""

import json

import pytest
import safetensors.torch
import torch

from data.pictures import write as write_picture
from forger import cli
from forger.commands.extractor import execution as command
from forger.data.downloads import DEBIAN_FASHION_MNIST, fashion_mnist
from forger.data.images import digits
from forger.hashing import file_sha256
from forger.metrics.features import extractors
from forger.metrics.features.base import extract
from forger.metrics.features.classifier import FORMAT, ClassifierExtractor, ClassifierNetwork, Shape, write
from forger.metrics.features.damage import damage_table
from forger.metrics.features.extractors import FASHION_SHA256, FASHION_WEIGHTS, FashionExtractor, build
from metrics.doubles import pictures
from running import without

SMALL = Shape(channels=3, size=12, widths=(4, 6), features=5, classes=7)


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    write(path, ClassifierNetwork(SMALL).eval(), SMALL, "mine", data="pictures")
    return path


def rewritten(file, change):
    """The file with other metadata, or other tensors."""
    with safetensors.safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    about, state = json.loads(metadata[FORMAT]), safetensors.torch.load_file(file)
    metadata = change(about, state) or {FORMAT: json.dumps(about)}
    safetensors.torch.save_file(state, file, metadata)


def test_what_is_read_is_what_was_written_in_half_precision(file):
    torch.manual_seed(0)
    network = ClassifierNetwork(SMALL).eval()
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            tensor.data.copy_(tensor.half())
    images = pictures(9, (3, 12, 12))
    features, logits = build(str(file))(images)
    assert (features.shape, logits.shape) == ((9, 5), (9, 7))
    torch.testing.assert_close((features, logits), network(images.float() / 255))


def test_it_is_named_and_known_by_its_file(file):
    extractor = build(str(file))
    assert extractor.name == "mine"
    assert extractor.weights_sha256 == file_sha256(file)
    assert extractor.preprocessing == "uint8 (3, 12, 12) / 255"
    assert extractor.about["data"] == "pictures"


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 12, 8), (3, 16, 16)])
def test_other_pictures_are_refused(file, shape):
    with pytest.raises(ValueError, match="the mine extractor takes RGB 12x12 images, got "):
        build(str(file))(pictures(2, shape))


@pytest.mark.parametrize(("size", "stages"), [(8, 2), (16, 2), (28, 3), (32, 3), (64, 4), (256, 6)])
def test_every_size_ends_with_a_few_pixels(size, stages):
    shape = Shape.of(1, size, 10)
    assert len(shape.widths) == stages
    features, logits = ClassifierNetwork(shape).eval()(torch.rand(2, 1, size, size))
    assert (features.shape, logits.shape) == ((2, 64), (2, 10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about, state: {"format": "pt"}, "weights without a network"),
        (lambda about, state: {FORMAT: "[1"}, "no whole extractor"),
        (lambda about, state: {FORMAT: "[1]"}, "no whole extractor"),
        (lambda about, state: about.update(shape=None), "no whole extractor"),
        (lambda about, state: about.update(name="../x"), "no whole extractor.*the name"),
        (lambda about, state: about.update(name="digits"), "the name of forger's own extractor"),
        (lambda about, state: about["shape"].update(widths=[10**9]), "no whole extractor.*the shape"),
        (lambda about, state: about["shape"].update(depth=3), "no whole extractor.*depth"),
        (lambda about, state: state.update({"head.1.bias": torch.zeros(8)}), "no whole extractor.*head.1.bias"),
        (lambda about, state: state.__delitem__("head.1.bias"), "no whole extractor.*head.1.bias"),
    ],
)
def test_files_that_are_none_are_refused_in_one_line(file, change, message):
    rewritten(file, change)
    with pytest.raises(ValueError, match=message) as caught:
        build(str(file))
    assert "\n" not in str(caught.value)


def test_a_missing_or_damaged_file_is_told(tmp_path, file):
    with pytest.raises(FileNotFoundError, match=r"no extractor at .*none\.safetensors.*forger extractor data="):
        build(str(tmp_path / "none.safetensors"))
    file.write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"mine\.safetensors: no \.safetensors file"):
        build(str(file))
    with pytest.raises(ValueError, match="takes neither weights nor preprocessing"):
        build(str(file), "weights.pt")


class TestFashion:
    """The shipped one, which `forger extractor data=fashion_mnist` made."""

    def test_the_shipped_file(self):
        assert file_sha256(FASHION_WEIGHTS) == FASHION_SHA256
        assert FASHION_WEIGHTS.stat().st_size <= 450_000
        extractor = build("fashion")
        assert (extractor.name, extractor.weights_sha256) == ("fashion", FASHION_SHA256)
        assert extractor.about["accuracy"]["test"] >= 0.91

    def test_another_file_is_refused(self, monkeypatch, tmp_path):
        monkeypatch.setattr(extractors, "FASHION_WEIGHTS", tmp_path / "fashion.safetensors")
        (tmp_path / "fashion.safetensors").write_bytes(FASHION_WEIGHTS.read_bytes()[:-1] + b"x")
        with pytest.raises(ValueError, match="not the file that forger ships"):
            FashionExtractor()

    def test_it_reads_clothes_it_never_saw(self, tmp_path):
        if not DEBIAN_FASHION_MNIST.is_dir():
            without("Fashion-MNIST", "dataset-fashion-mnist")
        data = fashion_mnist(str(tmp_path), download=False)
        extractor = build("fashion")
        assert extractor.about["fingerprint"] == data.fingerprint
        features, logits = extract(extractor, data.test.arrays["image"])
        right = (logits.argmax(1) == data.test.arrays["label"]).double().mean().item()
        assert right >= 0.91
        assert right == pytest.approx(extractor.about["accuracy"]["test"], abs=5e-4)
        covariance = torch.linalg.eigvalsh(features.double().T.cov())
        assert covariance[0] > 1e-6 * covariance[-1]  # no dead feature


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(command, "SHOWN", 30_000)

    def test_it_makes_an_extractor_and_prints_what_it_is_worth(self, capsys, tmp_path):
        assert cli.main(["extractor", "data=digits", "-o", "mine.safetensors"]) == 0
        out = capsys.readouterr().out
        extractor = ClassifierExtractor(tmp_path / "mine.safetensors")
        test = digits().test
        right = (
            (extract(extractor, test.arrays["image"]).logits.argmax(1) == test.arrays["label"]).double().mean().item()
        )
        assert right >= 0.9
        assert extractor.about["accuracy"]["test"] == right
        assert extractor.about["fingerprint"] == digits().fingerprint
        assert f"right: {right:.2%} of 497 test images" in out
        assert "fd_mine" in out
        rows = damage_table(extractor, digits())
        for name, value in rows.items():
            assert f"{name} " in out
            assert f"{value:.3g}" in out
        assert rows["real training images"] == min(rows.values())
        assert rows["one class dropped"] < rows["every second class dropped"]

    def test_the_same_seed_is_the_same_file(self, tmp_path, monkeypatch):
        monkeypatch.setattr(command, "SHOWN", 1_000)
        monkeypatch.setattr(command, "_show", lambda *_: None)
        for name, seed in (("a/x", 1), ("b/x", 1), ("c/x", 2)):
            (tmp_path / name).parent.mkdir()
            assert cli.main(["extractor", "data=digits", f"seed={seed}", "-o", f"{name}.safetensors"]) == 0
        a, b, c = (file_sha256(tmp_path / name / "x.safetensors") for name in "abc")
        assert a == b != c

    def test_colour_pictures_of_ones_own(self, tmp_path, monkeypatch):
        monkeypatch.setattr(command, "SHOWN", 500)
        for index in range(40):
            write_picture(tmp_path / "mine" / "ab"[index % 2] / f"{index}.png", size=(20, 16), seed=index)
        arguments = ["data=image_folder", "data.root=mine", "data.size=16", "data.classes=2"]
        assert cli.main(["extractor", *arguments]) == 0
        assert build("mine.safetensors").shape == Shape.of(3, 16, 2)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["seed=1"], "of which data?"),
            (["data=digits", "model=gan"], "extractor model=gan: only data and seed count here"),
            (["data=ring8"], "data=ring8: these are points"),
            (["data=photos"], "an extractor is trained on images of at least two classes"),
            (["data=digits", "-o", "digits.safetensors"], "digits is the name of forger's own extractor"),
            (["data=digits", "-o", "mine.pt"], "-o mine.pt: NAME.safetensors"),
            (["data=digits", "-o", "no/mine.safetensors"], "there is no folder no"),
            (["data=digits", "data.colour=1"], "colour"),
            (["data=digits", "--outptu", "x"], "no such option"),
        ],
    )
    def test_what_can_not_be_made_is_told_before_training(self, arguments, said, capsys):
        assert cli.main(["extractor", *arguments]) == 2
        _, error = capsys.readouterr()
        assert said in error
        assert error.count("\n") == 1
