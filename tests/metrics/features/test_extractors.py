"""Extractors: nothing that happens to a training run reaches them, and what they don't take is refused."""

import copy
import hashlib

import pytest
import safetensors.torch
import torch
from torch import nn

from forger.data.images import digits
from forger.metrics.features import extractors
from forger.metrics.features.base import extract
from forger.metrics.features.extractors import DigitsExtractor, ModuleExtractor, build
from metrics.doubles import Small, pictures

SMALL, RECORDER = "metrics.doubles.Small", "metrics.doubles.Recorder"


@pytest.fixture(scope="module")
def digits_extractor() -> DigitsExtractor:
    return DigitsExtractor()


class TestDigits:
    def test_reads_digits_it_never_saw(self, digits_extractor):
        test = digits().test
        features, logits = digits_extractor(test.arrays["image"])
        assert (features.shape, logits.shape) == ((497, 64), (497, 10))
        assert (logits.argmax(1) == test.arrays["label"]).double().mean() >= 0.985
        covariance = torch.linalg.eigvalsh(features.double().T.cov())
        assert covariance[0] > 1e-6 * covariance[-1]  # no dead feature

    def test_the_shipped_file(self, digits_extractor):
        content = extractors.DIGITS_WEIGHTS.read_bytes()
        assert len(content) <= 400_000
        assert digits_extractor.weights_sha256 == hashlib.sha256(content).hexdigest()

    def test_another_file_is_refused(self, monkeypatch, tmp_path):
        spoilt = bytearray(extractors.DIGITS_WEIGHTS.read_bytes())
        spoilt[-1] ^= 1
        (tmp_path / "digits.safetensors").write_bytes(spoilt)
        monkeypatch.setattr(extractors, "DIGITS_WEIGHTS", tmp_path / "digits.safetensors")
        with pytest.raises(ValueError, match="not the file that forger ships"):
            DigitsExtractor()

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (torch.rand(2, 1, 8, 8), r"takes uint8 images in \[0, 255\], got torch.float32"),
            (pictures(2, (1, 8, 8)).int(), "got torch.int32"),
            (pictures(2, (3, 8, 8)), "got 3 channels of 8x8"),
            (pictures(2, (1, 16, 8)), "got 1 channels of 16x8"),
            (pictures(8, (8,)), r"must have shape \(n, channels, height, width\)"),
        ],
    )
    def test_other_images_are_refused(self, digits_extractor, images, message):
        with pytest.raises(ValueError, match=message) as caught:
            digits_extractor(images)
        assert "\n" not in str(caught.value)


class TestFixed:
    """What a trainer does to its modules: train(), half(), autocast, gradients."""

    def spoil(self, model: nn.Module):
        model.train()
        model.half().to(torch.bfloat16).double()
        model.requires_grad_(True)

    @pytest.mark.parametrize("make", [DigitsExtractor, lambda: ModuleExtractor(SMALL)])
    def test_nothing_changes_the_features(self, make):
        torch.manual_seed(0)
        extractor = make()
        images = pictures(16, (1, 8, 8))
        before = extractor(images)
        state = copy.deepcopy(extractor.state_dict())
        self.spoil(nn.Sequential(extractor))
        torch.set_default_dtype(torch.float64)
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                after = extractor(images)
        finally:
            torch.set_default_dtype(torch.float32)
        torch.testing.assert_close(after.features, before.features, rtol=0, atol=0)
        assert after.features.dtype == torch.float32
        assert not after.features.requires_grad
        assert not any(module.training for module in extractor.modules())
        assert all(torch.equal(value, state[name]) for name, value in extractor.state_dict().items())

    def test_batches_do_not_matter(self):
        extractor = DigitsExtractor()
        images = pictures(37, (1, 8, 8))
        parts = extract(extractor, images, batch_size=10)
        torch.testing.assert_close(parts.features, extractor(images).features, rtol=1e-5, atol=1e-5)
        assert parts.logits is not None
        assert len(parts.logits) == 37


class TestModule:
    def test_preprocessing_is_what_it_says(self):
        extractor = ModuleExtractor(RECORDER, size=4, antialias=False, channels=3, mean=(0.5, 0, 0), std=(0.5, 1, 2))
        images = pictures(2, (1, 8, 8))
        seen = extractor(images).features.reshape(2, 3, 4, 4)
        plain = nn.functional.interpolate(images.float() / 255, (4, 4), mode="bilinear")[:, 0]
        torch.testing.assert_close(seen, torch.stack([(plain - 0.5) / 0.5, plain, plain / 2], dim=1))
        smooth = ModuleExtractor(RECORDER, size=4, antialias=True, channels=1)(images).features.reshape(2, 4, 4)
        assert not torch.allclose(smooth, plain)
        assert extractor.preprocessing == (
            "uint8 / 255, 3 channels, bilinear to 4 without antialias, mean (0.5, 0, 0), std (0.5, 1, 2)"
        )
        seven = pictures(2, (7, 4, 6))
        assert torch.equal(ModuleExtractor(RECORDER, channels=7)(seven).features, (seven.float() / 255).flatten(1))

    def test_pair_of_features_and_logits(self):
        features, logits = ModuleExtractor(SMALL, arguments={"logits": True, "width": 7})(pictures(3, (3, 8, 8)))
        assert features.shape == (3, 7)
        torch.testing.assert_close(logits, features * 2)

    @pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
    def test_weights_from_a_file(self, tmp_path, suffix):
        network, path = Small(), tmp_path / f"weights{suffix}"
        (safetensors.torch.save_file if suffix == ".safetensors" else torch.save)(network.state_dict(), path)
        first, second = (ModuleExtractor(SMALL, weights=path) for _ in range(2))
        images = pictures(3, (3, 8, 8))
        torch.testing.assert_close(first(images).features, network.eval()(images.float() / 255))
        assert first.weights_sha256 == second.weights_sha256 != ModuleExtractor(SMALL).weights_sha256

    def test_exported_program(self, tmp_path):
        network = Small().eval()
        batch = torch.export.Dim("batch", min=1)
        program = torch.export.export(network, (torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
        path = tmp_path / "small-net.pt2"
        torch.export.save(program, path)
        extractor = build(str(path)).train()
        assert extractor.name == "small_net"
        assert extractor.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        images = pictures(5, (3, 8, 8))
        torch.testing.assert_close(extractor(images).features, network(images.float() / 255))

    def test_nan_features_are_refused(self):
        extractor = ModuleExtractor(SMALL)
        extractor.network.body[0].bias.fill_(float("nan"))
        with pytest.raises(ValueError, match="small extractor put out NaN"):
            extractor(pictures(2, (3, 8, 8)))

    @pytest.mark.parametrize(
        ("target", "options", "message"),
        [
            (
                "nowhere",
                {},
                "no extractor nowhere: there are digits, fashion, inception, dinov2, random, any .safetensors",
            ),
            ("nowhere.Net", {}, "nowhere.Net can't be made: No module named 'nowhere'"),
            ("metrics.doubles.Nothing", {}, "can't be made: .*Nothing"),
            (SMALL, {"arguments": {"breadth": 3}}, "can't be made: .*breadth"),
            ("metrics.doubles.not_a_module", {}, "gives a dict, not a torch.nn.Module"),
            (SMALL, {"name": "inception"}, "inception is the name of forger's own extractor"),
            (SMALL, {"mean": (0.5, 0.5)}, "need 1 or 3 values each"),
            (SMALL, {"std": (0.0,)}, "std above 0"),
            ("digits", {"weights": "x"}, "digits extractor is whole: it takes neither weights nor preprocessing"),
            ("random", {"size": 32}, "random extractor is whole"),
            ("dinov2", {"size": 32}, "does its own preprocessing: take out size"),
            ("inception", {"size": 32}, "inception takes no such preprocessing: .*'size'"),
        ],
    )
    def test_what_can_not_be_built(self, target, options, message):
        with pytest.raises(ValueError, match=message) as caught:
            build(target, **options)
        assert "\n" not in str(caught.value)

    def test_wrong_files(self, tmp_path):
        (tmp_path / "text.pt").write_text("hello")
        torch.save(Small(width=6).state_dict(), tmp_path / "wide.pt")
        for name in ("text.pt", "wide.pt", "absent.pt"):
            with pytest.raises(ValueError, match=rf"{name} holds no weights for {SMALL}") as caught:
                build(SMALL, tmp_path / name)
            assert "\n" not in str(caught.value)
        with pytest.raises(FileNotFoundError, match=r"no exported program at .*absent\.pt2"):
            build(str(tmp_path / "absent.pt2"))
        (tmp_path / "text.pt2").write_text("hello")
        with pytest.raises(ValueError, match=r"text\.pt2: no exported program"):
            build(str(tmp_path / "text.pt2"))
        with pytest.raises(ValueError, match="takes 3 channels, got 4"):
            ModuleExtractor(SMALL)(pictures(2, (4, 8, 8)))
