"""Every network that a shipped experiment trains, exported and asked in a process without forger."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm
from torch.onnx._internal.exporter._registration import ONNXRegistry

from export.untrained import ROWS, SHALLOW, THIN, built
from forger.config.schema import validate
from forger.config.shipped import conf_folder
from forger.errors import ConfigError
from forger.export.about import about_part
from forger.export.detaching import Detached, detached
from forger.export.programs import as_onnx, as_pt2, tensors_of, traced
from forger.games.base import Game
from running import composed

#: Each network, each way in which it is told labels: overrides of a game.
GAMES = {
    "gan": ("experiment=digits_gan",),
    "cgan": ("experiment=digits_cgan",),
    "cgan of conditions": ("model=cgan", "data=digits", ROWS),
    "mixture of points": ("experiment=grid25",),
    "dcgan": ("experiment=emoji_dcgan", "data.size=[12,20]", THIN),
    "cdcgan": ("experiment=fashion_cgan", THIN),
    "sngan": ("model=sngan", "data=digits", "+model.generator.attention=8", THIN),
    "biggan": ("model=biggan", "data=digits", "+model.generator.attention=8", THIN),
    "infogan": ("experiment=digits_infogan",),
    "r3gan": ("experiment=fashion_r3gan", THIN, SHALLOW),
    "stylegan2": ("model=stylegan2", "data=digits", "data.size=[12,20]", THIN, "model.latent=8"),
    "stylegan2 of classes": (
        *("model=stylegan2", "data=digits", THIN, "model.latent=8", "+model/conditional=projection"),
        "+model.generator.architecture=residual",
    ),
    "published r3gan": (
        *("experiment=cifar10_r3gan", "model.generator.width=8", "model.generator.max_width=16", f"+{SHALLOW}"),
        *("model.discriminator.width=8", "model.discriminator.max_width=8"),
    ),
    "sparse autoencoder": ("experiment=digits_sparse_ae",),
    "convolutional autoencoder": ("experiment=fashion_denoising_ae",),
    "vae": ("experiment=fashion_vae",),
    "cvae": ("model=cvae", "data=digits"),
    "aae": ("experiment=digits_aae",),
    "vaegan": ("experiment=digits_vaegan",),
    "vqvae": ("model=vqvae", "data=digits", "model.autoencoder.width=8"),
    "cyclegan": ("experiment=digits_cyclegan", "model.generator_ab.blocks=1"),
    "rearranging": ("experiment=digits_cyclegan_rotated",),
    "pix2pix": ("model=pix2pix", "data=digits_averaged", "model.noise=false", THIN),
    "srgan": ("experiment=photos_srgan", THIN, SHALLOW),
    "srgan x4": ("experiment=photos_srgan_x4", THIN, SHALLOW),
    "flow": ("model=flow", "data=digits", "model.steps=2", "model.guidance=2", "model.denoiser.depth=1"),
    "diffusion": (
        *("model=diffusion", "model/denoiser=unet", "data=fashion_mnist", "model.steps=1", "model.process.sigma_max=5"),
        *("model.denoiser.width=4", "model.denoiser.levels=2"),
    ),
}
#: Every kind of part, of input and of output; the others are exported by the long tests.
FEW = ("cgan of conditions", "vae", "rearranging", "srgan")
#: Largest difference from torch of what lies in [-1, 1].
CLOSE = 1e-5


def calls(part: Detached) -> Iterator[dict[str, Tensor]]:
    """Inputs of 1 and 7 samples; where any size of image will do, of two other sizes too."""
    sizes = [(1, None), (7, None), (1, (9, 14)), (3, (21, 6))]
    for n, size in sizes[: 4 if part.part.any_size else 2]:
        stream = torch.Generator().manual_seed(n)
        given = {}
        for name, example in part.inputs.items():
            shape = (example.shape[1], *size) if size else example.shape[1:]
            drawn = torch.randn(n, *shape, generator=stream) if name != "labels" else torch.arange(n) % 10
            given[name] = drawn if name in ("z", "labels", "conditions") else drawn.clamp(-1, 1)
        yield given


def answers(game, part: Detached, given: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What the game itself says."""
    values = tuple(given.values())
    if part.name.startswith("translator"):
        return (game.translate(*values, part.name[-2:]),)
    if part.name == "encoder":
        return game.posterior(*values) if hasattr(game, "posterior") else (game.encode(*values),)
    return (game.enlarge(*values) if part.name == "enlarger" else game.decode(*values),)


@pytest.fixture(scope="module")
def differences(request, tmp_path_factory) -> dict[str, float]:
    """By file, the largest difference between what it gives without forger and what its game gives."""
    asked = {item.callspec.params["title"] for item in request.session.items if "differences" in item.fixturenames}
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        # torch reads its hundreds of operators anew for each model.
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        for title in asked:
            game, shape = built(*GAMES[title])
            for part in detached(game, shape):
                name = f"{title} {part.name}"
                program = traced(part)
                (folder / f"{name}.pt2").write_bytes(as_pt2(program, part, "{}"))
                (folder / f"{name}.onnx").write_bytes(as_onnx(program, part, "{}"))
                for number, given in enumerate(calls(part)):
                    wanted = {f"output{i}": made.numpy() for i, made in enumerate(answers(game, part, given))}
                    assert all(made.std() > 0.01 for made in wanted.values()), name
                    np.savez(folder / f"{name}.{number}.npz", **{k: v.numpy() for k, v in given.items()}, **wanted)
    script = Path(__file__).with_name("checking.py")
    ended = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=() if title in FEW else pytest.mark.long) for title in GAMES]
)
def test_what_the_files_give_without_forger_is_what_the_game_gives(title, differences):
    found = {name: value for name, value in differences.items() if name.startswith(f"{title} ")}
    assert len(found) in (2, 4)
    for name, value in found.items():
        # A VAE's code is no picture: its numbers reach beyond 1.
        assert value <= (CLOSE if "encoder" not in name else 10 * CLOSE), name


def test_every_network_of_the_presets_is_among_them():
    pattern = r"_target_: forger\.networks\.(\w+\.(?:Generator|Autoencoder)|(?:autoencoders|denoisers)\.\w+)"
    shipped = {name for file in conf_folder().glob("model/**/*.yaml") for name in re.findall(pattern, file.read_text())}
    covered = set()
    for overrides in GAMES.values():
        model = validate(composed(*overrides)).model
        nodes = (model.get(name) for name in ("generator", "generator_ab", "autoencoder", "denoiser"))
        covered |= {node["_target_"].removeprefix("forger.networks.") for node in nodes if node}
    assert shipped == covered


# Weights ------------------------------------------------------------------------------------------------------


def test_what_shapes_weights_is_folded_in():
    game, shape = built("experiment=digits_gan")
    generator = game.get_submodule("generator")
    parametrizations.spectral_norm(generator.blocks[0][0])
    parametrizations.weight_norm(generator.blocks[1][0])
    spectral_norm(generator.output)  # by a hook, as older networks have it
    with game.live_weights():
        (part,) = detached(game, shape)
        wanted = game.decode(z := torch.randn(4, 32))
    assert all(re.fullmatch(r"(blocks\.[01]\.0|output)\.(weight|bias)", name) for name in tensors_of(part.network))
    assert torch.allclose(part.called(z), wanted, atol=1e-6)
    assert torch.equal(game.decode(z), game.answering("generator")(z, None))  # the game is as it was


def test_a_part_has_its_own_weights_alone():
    parts = detached(*built("experiment=digits_ae"))
    kept = [set(traced(part).state_dict) for part in parts]
    assert not kept[0] & kept[1]
    assert {f"network.{name}" for name in tensors_of(parts[0].network)} == kept[0] | kept[1]


def test_a_part_says_what_its_numbers_are():
    game, shape = built("model=cgan", "data=digits", ROWS)
    (part,) = detached(game, shape)
    assert about_part(part, game)["inputs"][1] == {
        "name": "conditions",
        "dtype": "float32",
        "shape": ["batch", 2],
        "columns": [{"name": "smile", "values": ("no", "yes")},
                    {"name": "age", "mean": 40, "deviation": 12, "low": 1, "high": 99}],
    }  # fmt: skip
    deep = ("data.channels=7", "+data.depth=uint16", "+data.range=[0,4095]")
    game, shape = built("experiment=photos_srgan", THIN, *deep)
    (part,) = detached(game, shape)
    pixels = {"dtype": "uint16", "low": 0.0, "high": 4095.0}
    assert about_part(part, game) == {
        "part": "enlarger",
        "inputs": [{"name": "images", "dtype": "float32", "shape": ["batch", 7, "height", "width"], "range": [-1, 1],
                    "pixels": pixels}],
        "outputs": [{"name": "enlarged", "dtype": "float32", "shape": ["batch", 7, "2 * height", "2 * width"],
                     "range": [-1, 1], "pixels": pixels}],
    }  # fmt: skip
    game, shape = built("experiment=gaussian_gan")
    assert [each["name"] for each in about_part(detached(game, shape)[0], game)["outputs"]] == ["points"]


def test_what_has_nothing_to_export_says_so():
    with pytest.raises(ConfigError, match=r"^Game makes nothing that could be exported$"):
        detached(Game({}), (1, 8, 8))
    game, _ = built("experiment=digits_ae")
    with pytest.raises(ConfigError, match=r"^model\.autoencoder: can't be called as the encoder \(.*mat1"):
        detached(game, (1, 9, 9))
    next(game.parameters()).data[0] = torch.nan
    with pytest.raises(ConfigError, match=r"^model\.autoencoder: the encoder gives NaN or infinity: the run"):
        detached(game, (1, 8, 8))


class Counting(nn.Module):
    """Asks for the length of a batch as Python does, of which torch's first way to follow makes a constant."""

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z.reshape(len(z), 1, 4, 8)


def test_networks_that_count_their_samples_are_exported_for_any_number():
    game, shape = built("experiment=digits_gan", "model.ema=null")
    game.generator = Counting()
    (part,) = detached(game, shape)
    assert traced(part).module()(torch.zeros(5, 32)).shape == (5, 1, 4, 8)
