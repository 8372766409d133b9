"""Training steps of three much-used GAN repositories, restated in plain PyTorch with their own networks and sizes.

What the speed of `AdversarialGame` is compared with, and proof that it is the same arithmetic. Restated are the
networks with their initialisation, the order of the moves, the losses, the optimisers and what is read back from each
step; left out is what each repository does besides (loading, printing, pictures), so that a step here is the least
that theirs can cost. Networks take and give what the original's do, except that `view` is `nn.Flatten` or
`nn.Unflatten`: the same on the peers' side, but able to take channels-last images, at which `view` raises an error.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm


class Peer:
    """A repository's networks, optimisers and training step.

    Args:
        optimizer: instead of the repository's own, called with a network's parameters.
    """

    size, channels, latent, batch_size = 32, 3, 100, 64
    #: Batches of reals, and moves of the discriminator, for each move of the generator.
    n_dis = 1
    learning_rate, betas = 2e-4, (0.5, 0.999)

    def __init__(self, optimizer: Callable[..., torch.optim.Optimizer] | None = None) -> None:
        self.G, self.D = self.networks()
        optimizer = optimizer or (lambda parameters: torch.optim.Adam(parameters, self.learning_rate, self.betas))
        self.opt_g, self.opt_d = optimizer(self.G.parameters()), optimizer(self.D.parameters())

    def networks(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Generator and discriminator with the repository's initial weights."""
        raise NotImplementedError

    def noise(self, n: int) -> Tensor:
        """``n`` latents, in the shape that the generator takes."""
        return torch.randn(n, self.latent)

    def step(self, reals: Iterator[Tensor]) -> dict[str, float]:
        """One step on the next ``n_dis`` batches of images in [-1, 1]; gives what the repository logs."""
        raise NotImplementedError


class PyTorchGAN(Peer):
    """eriklindernoren/PyTorch-GAN, implementations/dcgan/dcgan.py (commit c5d6be1), with its default arguments.

    32×32 in grey; the generator upsamples and convolves, the discriminator has dropout. The generator moves first,
    both moves share their fakes, and the discriminator's two losses are averaged. The second argument of the inner
    batch norms is 0.8, which is their ε.
    """

    channels = 1

    def networks(self) -> tuple[nn.Sequential, nn.Sequential]:
        base = self.size // 4
        G = nn.Sequential(
            nn.Linear(self.latent, 128 * base**2),
            nn.Unflatten(1, (128, base, base)),
            nn.BatchNorm2d(128),
            *[nn.Upsample(scale_factor=2), nn.Conv2d(128, 128, 3, 1, 1)],
            *[nn.BatchNorm2d(128, 0.8), nn.LeakyReLU(0.2, inplace=True)],
            *[nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, 1, 1)],
            *[nn.BatchNorm2d(64, 0.8), nn.LeakyReLU(0.2, inplace=True)],
            *[nn.Conv2d(64, self.channels, 3, 1, 1), nn.Tanh()],
        )
        down: list[nn.Module] = []
        for inputs, outputs in ((self.channels, 16), (16, 32), (32, 64), (64, 128)):
            down += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            if inputs != self.channels:
                down.append(nn.BatchNorm2d(outputs, 0.8))
        D = nn.Sequential(*down, nn.Flatten(), nn.Linear(128 * (self.size // 16) ** 2, 1), nn.Sigmoid())
        return _radford(G), _radford(D)

    def noise(self, n: int) -> Tensor:
        return torch.as_tensor(np.random.normal(0, 1, (n, self.latent)), dtype=torch.float32)  # noqa: NPY002 - theirs

    def step(self, reals: Iterator[Tensor]) -> dict[str, float]:
        real = next(reals)
        valid, fake = torch.ones(len(real), 1), torch.zeros(len(real), 1)

        self.opt_g.zero_grad()
        images = self.G(self.noise(len(real)))
        g_loss = F.binary_cross_entropy(self.D(images), valid)
        g_loss.backward()
        self.opt_g.step()

        self.opt_d.zero_grad()
        real_loss = F.binary_cross_entropy(self.D(real), valid)
        fake_loss = F.binary_cross_entropy(self.D(images.detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        self.opt_d.step()
        return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


class Examples(Peer):
    """pytorch/examples, dcgan/main.py (commit 13caa07), with its default arguments: nz 100, ngf 64, ndf 64.

    64×64 in colour; transposed convolutions. The discriminator moves first, with a backward pass for the reals and
    one for the fakes; the generator moves on the same fakes.
    """

    size = 64

    def networks(self) -> tuple[nn.Sequential, nn.Sequential]:
        up: list[nn.Module] = []
        for inputs, outputs, stride, padding in ((100, 512, 1, 0), (512, 256, 2, 1), (256, 128, 2, 1), (128, 64, 2, 1)):
            up += [nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)]
            up += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        down: list[nn.Module] = []
        for inputs, outputs in ((3, 64), (64, 128), (128, 256), (256, 512)):
            norm = [nn.BatchNorm2d(outputs)] if inputs != 3 else []
            down += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(0.2, inplace=True)]
        G = nn.Sequential(*up, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())
        D = nn.Sequential(*down, nn.Conv2d(512, 1, 4, 1, 0, bias=False), nn.Flatten(0), nn.Sigmoid())
        return _radford(G), _radford(D)

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, self.latent, 1, 1)

    def step(self, reals: Iterator[Tensor]) -> dict[str, float]:
        real = next(reals)
        self.D.zero_grad()
        label = torch.full((len(real),), 1.0)
        output = self.D(real)
        real_loss = F.binary_cross_entropy(output, label)
        real_loss.backward()
        on_real = output.mean().item()

        fake = self.G(self.noise(len(real)))
        label.fill_(0)
        output = self.D(fake.detach())
        fake_loss = F.binary_cross_entropy(output, label)
        fake_loss.backward()
        on_fake = output.mean().item()
        self.opt_d.step()

        self.G.zero_grad()
        label.fill_(1)
        output = self.D(fake)
        g_loss = F.binary_cross_entropy(output, label)
        g_loss.backward()
        again = output.mean().item()
        self.opt_g.step()
        losses = {"d_loss": (real_loss + fake_loss).item(), "g_loss": g_loss.item()}
        return {**losses, "d_real": on_real, "d_fake": on_fake, "d_fake_after": again}


class MimicryDCGAN(Peer):
    """kwotsin/mimicry, torch_mimicry/nets/dcgan/dcgan_32.py, nets/gan/gan.py and training/trainer.py.

    Residual networks of 256 (G) and 128 (D) channels for 32×32 in colour, the non-saturating loss; Adam as in its
    README. The generator moves first, in the first of the ``n_dis`` turns of the discriminator, and each move has fresh
    fakes. ``n_dis`` is 1 by default of its trainer, 5 in its baselines.
    """

    latent = 128
    betas = (0.0, 0.9)
    normalised = False

    def networks(self) -> tuple[nn.Sequential, nn.Sequential]:
        G = nn.Sequential(
            _glorot(nn.Linear(self.latent, 16 * 256)),
            nn.Unflatten(1, (256, 4, 4)),
            *[_Up(256) for _ in range(3)],
            *[nn.BatchNorm2d(256), nn.ReLU(inplace=True), _glorot(nn.Conv2d(256, 3, 3, 1, 1)), nn.Tanh()],
        )
        normal = spectral_norm if self.normalised else _as_it_is
        D = nn.Sequential(
            _First(3, 128, normal),
            *[_Down(128, shrink, normal) for shrink in (True, False, False)],
            *[nn.ReLU(inplace=True), _Sum(), _glorot(nn.Linear(128, 1), normal=normal)],
        )
        return G, D

    def step(self, reals: Iterator[Tensor]) -> dict[str, float]:
        logged: dict[str, float] = {}
        for turn in range(self.n_dis):
            real = next(reals)
            if turn == 0:
                logged |= self.generator_step(len(real))
            logged |= self.discriminator_step(real)
        return logged

    def generator_step(self, n: int) -> dict[str, float]:
        """The generator's move, on fakes of its own."""
        self.G.zero_grad()
        loss = self.generator_loss(self.D(self.G(self.noise(n))))
        loss.backward()
        self.opt_g.step()
        return {"g_loss": loss.item()}

    def discriminator_step(self, real: Tensor) -> dict[str, float]:
        """The discriminator's move; its fakes, too, are made with a graph, which is thrown away."""
        self.D.zero_grad()
        real_logits = self.D(real)
        fake_logits = self.D(self.G(self.noise(len(real))).detach())
        loss = self.discriminator_loss(real_logits, fake_logits)
        loss.backward()
        self.opt_d.step()
        probabilities = {"d_real": real_logits.sigmoid().mean().item(), "d_fake": fake_logits.sigmoid().mean().item()}
        return {**probabilities, "d_loss": loss.item()}

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -torch.mean(torch.log(torch.sigmoid(fake) + 1e-8))

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        on_real = F.binary_cross_entropy_with_logits(real, torch.ones(len(real), 1))
        return on_real + F.binary_cross_entropy_with_logits(fake, torch.zeros(len(fake), 1))


class MimicrySNGAN(MimicryDCGAN):
    """kwotsin/mimicry, torch_mimicry/nets/sngan/sngan_32.py: D with spectral norm (torch's), hinge loss."""

    normalised = True

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


PEERS: dict[str, type[Peer]] = {
    "PyTorch-GAN": PyTorchGAN,
    "pytorch/examples": Examples,
    "mimicry DCGAN": MimicryDCGAN,
    "mimicry SNGAN": MimicrySNGAN,
}


# Pieces ------------------------------------------------------------------------------------------------------


def _radford(network: nn.Sequential) -> nn.Sequential:
    """Weights of convolutions from N(0, 0.02), those of batch norm from N(1, 0.02), as both DCGAN scripts have it."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
            nn.init.zeros_(module.bias)
    return network


def _as_it_is(layer: Any) -> Any:
    return layer


def _glorot(layer: Any, gain: float = 1.0, normal: Callable[[Any], Any] = _as_it_is) -> Any:
    nn.init.xavier_uniform_(layer.weight, gain)
    return normal(layer)


class _Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=(2, 3))


class _Up(nn.Module):
    """mimicry's GBlock: twice as large, bilinear, on the residual path and on the shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = (_glorot(nn.Conv2d(width, width, 3, 1, 1), math.sqrt(2)) for _ in range(2))
        self.shortcut = _glorot(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(_doubled(F.relu(self.norm1(x), inplace=True)))
        h = self.conv2(F.relu(self.norm2(h), inplace=True))
        return h + self.shortcut(_doubled(x))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class _First(nn.Module):
    """mimicry's DBlockOptimized: the discriminator's first block, half as large."""

    def __init__(self, inputs: int, width: int, normal: Callable[[Any], Any]) -> None:
        super().__init__()
        self.conv1 = _glorot(nn.Conv2d(inputs, width, 3, 1, 1), math.sqrt(2), normal)
        self.conv2 = _glorot(nn.Conv2d(width, width, 3, 1, 1), math.sqrt(2), normal)
        self.shortcut = _glorot(nn.Conv2d(inputs, width, 1), 1, normal)

    def forward(self, x: Tensor) -> Tensor:
        h = F.avg_pool2d(self.conv2(F.relu(self.conv1(x), inplace=True)), 2)
        return h + self.shortcut(F.avg_pool2d(x, 2))


class _Down(nn.Module):
    """mimicry's DBlock; its first ReLU works in place, so that the shortcut gets the rectified input, too."""

    def __init__(self, width: int, shrink: bool, normal: Callable[[Any], Any]) -> None:
        super().__init__()
        self.conv1, self.conv2 = (_glorot(nn.Conv2d(width, width, 3, 1, 1), math.sqrt(2), normal) for _ in range(2))
        self.shortcut = _glorot(nn.Conv2d(width, width, 1), 1, normal) if shrink else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x, inplace=True)
        h = self.conv2(F.relu(self.conv1(x), inplace=True))
        if self.shortcut is None:
            return h + x
        return F.avg_pool2d(h, 2) + F.avg_pool2d(self.shortcut(x), 2)
