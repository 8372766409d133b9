"""The autoencoders as plain PyTorch loops: what the games must equal, and their readable version."""

import torch

from forger.data.pixels.ranges import to_float
from forger.losses.reconstruction import kl_standard_normal, mse, sparsity
from forger.randomness import derived_seed, generator
from reference.ema import follow


def train(net, optimizer, batches, *, seed=0, noise=0.0, weight=0.0, rounds_per_stage=0, decay=0.9, average=None):
    """Reconstruct x from x + noise with a sparse code; first stage by stage, if wanted; ``average`` follows."""
    whole = optimizer(net.parameters())
    stages = [optimizer([*e.parameters(), *d.parameters()]) for e, d in zip(net.encoder, net.decoder, strict=True)]
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        x = to_float(batch["image"])
        noisy = x + 2 * noise * torch.randn(x.shape, generator=generator(seed, "noise", step)) if noise else x

        stage = step // rounds_per_stage if rounds_per_stage else len(stages)
        depth, opt = (stage + 1, stages[stage]) if stage < len(stages) else (None, whole)
        code = net.encode(noisy, depth)
        loss = mse(net.decode(code, depth), x).mean()
        if weight:
            loss = loss + weight * sparsity(code).mean()
        net.zero_grad()
        loss.backward()
        opt.step()
        follow(average, net, decay, step)


def train_variational(net, optimizer, batches, *, seed=0, r_loss_factor=1000.0, beta=1.0, decay=0.9, average=None):
    """min r · MSE + β · KL with z = μ + e^{v/2} ε; ``average`` follows the network."""
    opt = optimizer(net.parameters())
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        x = to_float(batch["image"])
        mean, log_variance = net.encode(x)
        noise = torch.randn(mean.shape, generator=generator(seed, "posterior", step))
        decoded = net.decode(mean + (log_variance / 2).exp() * noise)
        error = mse(decoded, x) / 4  # pixels in [0, 1]
        loss = r_loss_factor * error.mean() + beta * kl_standard_normal(mean, log_variance).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        follow(average, net, decay, step)
