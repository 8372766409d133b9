"""DINOv2 features from files of torch.hub's format, against the paper's network written out."""

import sys

import pytest
import torch
import torch.nn.functional as F

from forger.metrics.features.dinov2 import DEVIATION, FILE, MEAN, DINOv2Extractor
from forger.metrics.features.extractors import build
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from metrics.doubles import pictures

WIDTH, DEPTH = 128, 2


def random_dinov2() -> dict[str, torch.Tensor]:
    """The names and shapes of `dinov2_vit*14_pretrain.pth`, narrow and shallow."""
    rng = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng) * shape[-1] ** -0.5

    state = {
        "cls_token": normal(1, 1, WIDTH),
        "mask_token": normal(1, WIDTH),
        "pos_embed": normal(1, 1 + 37 * 37, WIDTH),
        "patch_embed.proj.weight": normal(WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": normal(WIDTH),
        "norm.weight": 1 + normal(WIDTH),
        "norm.bias": normal(WIDTH),
    }
    for i in range(DEPTH):
        shapes = {
            "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,), "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,),
            "attn.qkv.weight": (3 * WIDTH, WIDTH), "attn.qkv.bias": (3 * WIDTH,),
            "attn.proj.weight": (WIDTH, WIDTH), "attn.proj.bias": (WIDTH,),
            "ls1.gamma": (WIDTH,), "ls2.gamma": (WIDTH,),
            "mlp.fc1.weight": (4 * WIDTH, WIDTH), "mlp.fc1.bias": (4 * WIDTH,),
            "mlp.fc2.weight": (WIDTH, 4 * WIDTH), "mlp.fc2.bias": (WIDTH,),
        }  # fmt: skip
        state |= {f"blocks.{i}.{name}": normal(*shape) for name, shape in shapes.items()}
    return state


def class_token(state: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Dosovitskiy et al. 2021 with the layer scale of DINOv2, heads of 64, for uint8 RGB images."""
    x = F.interpolate(images / 255, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    x = (x - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(DEVIATION).reshape(3, 1, 1)
    x = F.conv2d(x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14).flatten(2).mT
    token, grid = state["pos_embed"].split([1, 37 * 37], dim=1)
    grid = F.interpolate(grid.mT.reshape(1, WIDTH, 37, 37), scale_factor=16.1 / 37, mode="bicubic").flatten(2).mT
    x = torch.cat([state["cls_token"] + token + 0 * x[:, :1], x + grid], dim=1)
    for i in range(DEPTH):
        p = {name.removeprefix(f"blocks.{i}."): value for name, value in state.items()}
        y = F.layer_norm(x, (WIDTH,), p["norm1.weight"], p["norm1.bias"], 1e-6)
        q, k, v = F.linear(y, p["attn.qkv.weight"], p["attn.qkv.bias"]).unflatten(2, (3, -1, 64)).permute(2, 0, 3, 1, 4)
        y = ((q @ k.mT / 8).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + p["ls1.gamma"] * F.linear(y, p["attn.proj.weight"], p["attn.proj.bias"])
        y = F.layer_norm(x, (WIDTH,), p["norm2.weight"], p["norm2.bias"], 1e-6)
        y = F.linear(
            F.gelu(F.linear(y, p["mlp.fc1.weight"], p["mlp.fc1.bias"])), p["mlp.fc2.weight"], p["mlp.fc2.bias"]
        )
        x = x + p["ls2.gamma"] * y
    return F.layer_norm(x, (WIDTH,), state["norm.weight"], state["norm.bias"], 1e-6)[:, 0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("dinov2") / "tiny.pth"
    torch.save(random_dinov2(), path)
    return path


@pytest.fixture(scope="module")
def extractor(weights) -> DINOv2Extractor:
    return DINOv2Extractor(weights)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 40, 300)])
def test_features_are_those_of_the_network_written_out(extractor, shape):
    images = pictures(2, shape)
    features, logits = extractor.train()(images)
    torch.testing.assert_close(
        features, class_token(random_dinov2(), images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4
    )
    assert logits is None
    assert "224 with antialias" in extractor.preprocessing
    assert f"{DEPTH} blocks, width {WIDTH}" in extractor.preprocessing


def test_scores_by_its_name(extractor):
    reference = Reference.build(extractor, pictures(7, (1, 8, 8)), split="random")
    scores = Scores(extractor, reference, ["fd", "density"])
    scores.update(pictures(6, (1, 8, 8), 1))
    assert list(scores.compute()) == ["fd_dinov2", "density_dinov2", "coverage_dinov2"]
    assert scores.passport(6, weights="none", seed=0).weights_sha256 == extractor.weights_sha256


def test_one_line_says_what_is_missing(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=rf"no DINOv2 weights at {tmp_path}/checkpoints/{FILE}: put https"
    ) as refusal:
        build("dinov2")
    assert "\n" not in str(refusal.value)
    registers = tmp_path / "registers.pth"
    torch.save(random_dinov2() | {"register_tokens": torch.ones(1, 4, WIDTH)}, registers)
    (tmp_path / "text.pth").write_text("hello")
    for path in (registers, tmp_path / "text.pth"):
        with pytest.raises(
            ValueError, match=r"holds no weights of a DINOv2 ViT-S, B or L/14 without registers"
        ) as refusal:
            build("dinov2", path)
        assert "\n" not in str(refusal.value)
    monkeypatch.setitem(sys.modules, "timm.models.vision_transformer", None)
    with pytest.raises(ValueError, match=r"needs timm: pip install 'forger\[dinov2\]'"):
        build("dinov2", weights)
    with pytest.raises(ValueError, match="does its own preprocessing: take out size"):
        build("dinov2", weights, size=3)
