"""The DINOv2 network behind `fd_dinov2`: a vision transformer of timm with weights that lie on disk."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from forger.hashing import file_sha256
from forger.metrics.features.base import Extractor

FILE = "dinov2_vitl14_pretrain.pth"
URL = f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/{FILE}"
SIZE, PATCH, HEAD = 224, 14, 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DINOv2Extractor(Extractor):
    """DINOv2 (Oquab et al. 2023), as Stein et al. 2023 judge generators by: the class token of a ViT, (n, width).

    Takes 1 or 3 channels of any size; grey is repeated. `weights`: torch.hub's or timm's file of any of its
    ViT-S/B/L with patches of 14 (papers take ViT-L, width 1024), of which the architecture is read; None looks
    where torch.hub keeps that of ViT-L. Nothing is downloaded.

    Raises:
        FileNotFoundError: the file is missing; the message says what to do.
        ValueError: it is another file, or timm is missing (`pip install 'forger[dinov2]'`).
    """

    deep = False

    def __init__(self, weights: str | Path | None = None) -> None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / FILE if weights is None else Path(weights)
        if not path.is_file():
            raise FileNotFoundError(
                f"no DINOv2 weights at {path}: put {URL} there, or name a file as the extractor's weights"
            )
        network = _network(path)
        steps = (
            f"uint8 / 255, grey to 3 channels, bicubic to {SIZE} with antialias, ImageNet mean and std; "
            f"class token of a ViT of {len(network.blocks)} blocks, width {network.embed_dim}"  # pyright: ignore[reportArgumentType]
        )
        super().__init__("dinov2", network.eval().requires_grad_(False), file_sha256(path), steps)
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).reshape(3, 1, 1), persistent=False)

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1] not in (1, 3):
            raise ValueError(f"the dinov2 extractor takes grey or RGB images, got {images.shape[1]} channels")

    def extract(self, images: Tensor) -> tuple[Tensor, None]:
        pixels = images.expand(-1, 3, -1, -1).float() / 255
        pixels = nn.functional.interpolate(pixels, (SIZE, SIZE), mode="bicubic", antialias=True)
        # Bicubic interpolation overshoots at edges, beyond the range of the values.
        pixels = (pixels.clamp(0, 1) - self.get_buffer("mean")) / self.get_buffer("deviation")
        return self.network(pixels), None


def _network(path: Path) -> nn.Module:
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError as error:
        raise ValueError("the dinov2 extractor needs timm: pip install 'forger[dinov2]'") from error
    try:
        if path.suffix == ".safetensors":
            state = safetensors.torch.load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        state = {name: tensor for name, tensor in state.items() if name != "mask_token"}
        width = state["cls_token"].shape[-1]
        network = VisionTransformer(
            img_size=SIZE,
            patch_size=PATCH,
            embed_dim=width,
            depth=sum(name.endswith(".norm1.weight") for name in state),
            num_heads=width // HEAD,
            init_values=1e-5,
            num_classes=0,
            weight_init="skip",
        )
        network.load_state_dict(state | {"pos_embed": _resampled(state["pos_embed"], SIZE // PATCH)})
    except Exception as error:  # unpickling, zip, safetensors, key and shape errors alike
        line = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} holds no weights of a DINOv2 ViT-S, B or L/14 without registers: {line}") from error
    return network


def _resampled(embedding: Tensor, side: int) -> Tensor:
    """Position embeddings (1, 1 + s², d) for side² patches, by the arithmetic of DINOv2's own code."""
    token, grid = embedding[:, :1], embedding[:, 1:]
    old = round(grid.shape[1] ** 0.5)
    if old != side:
        grid = grid.reshape(1, old, old, -1).permute(0, 3, 1, 2)
        # Its `interpolate_offset`; without it the grid would be sampled at slightly other places.
        grid = nn.functional.interpolate(grid.float(), scale_factor=(side + 0.1) / old, mode="bicubic")
        grid = grid.permute(0, 2, 3, 1).reshape(1, side * side, -1)
    return torch.cat([token, grid], dim=1)
