"""Images to score in every form, and `forger evaluate` in one line."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from forger import cli
from forger.data.images import digits
from forger.run_folder import RunFolder
from running import trained


def scored_run(root: Path) -> RunFolder:
    """A small run with scores of its samples."""
    return trained(root, "experiment=digits_cgan", "metrics=digits")


def real(split: str = "train") -> np.ndarray:
    """uint8 (n, 8, 8, 1)."""
    return digits().splits[split].arrays["image"].permute(0, 2, 3, 1).numpy()


def npz(folder, images, name="images.npz", **more):
    np.savez(folder / name, samples=images, **more)
    return folder / name


def pictures(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(folder / f"{index:04d}.png")
    return folder


class Generator(torch.nn.Module):
    """Draws what its latents say, scaled and shifted."""

    def __init__(self, scale: float = 1, shift: float = 0) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.tanh().reshape(-1, 1, 8, 8) * self.scale + self.shift


def exported(path, *, static=False, latent=64, **how):
    dynamic = None if static else ({0: torch.export.Dim("n", min=2)},)
    torch.export.save(torch.export.export(Generator(**how), (torch.randn(7, latent),), dynamic_shapes=dynamic), path)
    return path


def scores(capsys, *arguments) -> dict:
    """The scores that the command gives as JSON."""
    assert cli.main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def refused(capsys, *arguments) -> str:
    """The one line that the command ends with."""
    assert cli.main(["evaluate", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert (printed.err.count("\n"), printed.out) == (1, "")
    return printed.err
