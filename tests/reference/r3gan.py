"""A round of R3GAN (Huang et al. 2024) in plain PyTorch: what the game must equal, and its readable version."""

import torch
from torch.nn.functional import softplus


def slope(D, images, labels, seen):
    """‖∇D(T(x))‖² with respect to x, before its augmentation T (eq. 4 and 5: R1 on reals, R2 on fakes)."""
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(seen(images), labels).sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def descend(network, loss, *, lr, beta2, eps=1e-8):
    """The first step of Adam (Kingma & Ba 2015, algorithm 1) with β₁ = 0."""
    parameters = list(network.parameters())
    for weight, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        v = (1 - beta2) * g.square() / (1 - beta2)
        weight.data -= lr * g / (v.sqrt() + eps)


def round_of(G, D, average, of_d, of_g, seen, *, gamma, lr, beta2, half_life):
    """D moves on one batch, then G on another: each is (reals, labels, latents); ``seen(images, what)`` augments.

    f(t) = −log(1 + e^(−t)) of paired logits (eq. 2); the penalties weigh γ/2 each (eq. 6); the average of G's weights
    keeps half of what it was after ``half_life`` images.
    """
    real, labels, z = of_d
    fake = G(z, labels).detach()
    pairs = D(seen(real, "discriminator/real"), labels) - D(seen(fake, "discriminator/fake"), labels)
    loss = softplus(-pairs).mean()
    if gamma:
        r1 = slope(D, real, labels, lambda x: seen(x, "r1"))
        r2 = slope(D, fake, labels, lambda x: seen(x, "r2"))
        loss = loss + gamma / 2 * (r1 + r2).mean()
    descend(D, loss, lr=lr, beta2=beta2)

    real, labels, z = of_g
    pairs = D(seen(G(z, labels), "generator/fake"), labels) - D(seen(real, "generator/real"), labels)
    descend(G, softplus(-pairs).mean(), lr=lr, beta2=beta2)

    keep = 0.5 ** (len(real) / half_life) if half_life else 0.0
    for mean, weight in zip(average.parameters(), G.parameters(), strict=True):
        mean.data = keep * mean.data + (1 - keep) * weight.data
