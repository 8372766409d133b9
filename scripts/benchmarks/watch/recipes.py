"""The recipes that the watch is calibrated on: what is meant to go well, and what is meant to go wrong, and how.

Whether a run did go well is read from its final samples (`truth.py`), not from this list.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Overrides of a small run.

    Args:
        name: unique.
        meant: ``well`` or ``wrong``.
        half: ``fit`` for thresholds, ``held out`` for the rates that are published.
        overrides: of ``forger train``.
    """

    name: str
    meant: str
    half: str
    overrides: tuple[str, ...]


_COMMON = ("data=digits", "metrics=digits", "log.every=5")


def _budget(images: int) -> tuple[str, str]:
    return f"budget.images={images}", f"metrics.every_images={images // 8}"


_SHORT = _budget(32_000)
_MLP = ("model=gan", *_COMMON, *_budget(64_000))
_R1 = ("model=gan_r1", *_COMMON, *_budget(48_000))
_NARROW = ("model.generator.width=16", "model.discriminator.width=16")
_CONV = ("model=dcgan_r1", *_COMMON, *_NARROW, *_budget(48_000))
_VAE = ("model=vae", "data=digits", "metrics=digits_vae", "metrics.n=497", "log.every=5", *_budget(192_000))
_VAE += ("data.batch_size=128", "model.r_loss_factor=300")
_WIDE = ("model.generator.width=128", "model.discriminator.width=128", "model.latent=8")
_POINTS = ("model=gan_1d", "metrics=modes", "metrics.n=4_000", "log.every=5", *_WIDE)
_RING = (*_POINTS, "data=ring8", *_budget(200_000))
_GRID = (*_POINTS, "data=grid25", *_budget(250_000))
_LINE = ("model=gan_1d", "data=gaussian", "metrics=density", "metrics.n=4_000", "log.every=5", *_budget(160_000))
_BOTH = "+model/penalties=r1_r2"
_FASHION = ("data=fashion_mnist", "metrics.n=2_000", "log.every=10")
_STEADY = ("model.players.discriminator.schedule=null", "model.players.generator.schedule=null")
_LONG = ("budget.images=120_000", "metrics.every_images=30_000", *_STEADY)
_BRIEF = ("budget.images=40_000", "metrics.every_images=10_000")
_FMLP = (*_FASHION, *_LONG, "model=rpgan")
_FCGAN = (*_FMLP, "model=cgan", "budget.images=64_000", "metrics.every_images=16_000")
_FR1 = (*_FASHION, *_LONG, "model=gan_r1")
_FCONV = (*_FASHION, "budget.images=48_000", "metrics.every_images=12_000", "data.batch_size=32")
_FVAE = (*_FASHION, "budget.images=64_000", "metrics.every_images=16_000", "model=vae", "data.batch_size=128")
_PLAIN = (*_FASHION, *_BRIEF, "model=gan")
_BLIND = "metrics=none"


def _rates(discriminator: float, generator: float | None = None) -> tuple[str, str]:
    generator = discriminator if generator is None else generator
    optimizer = "model.players.{}.optimizer.lr={}"
    return optimizer.format("discriminator", discriminator), optimizer.format("generator", generator)


def _momentum(beta: float) -> tuple[str, str]:
    optimizer = "model.players.{}.optimizer.betas=[{},0.99]"
    return optimizer.format("discriminator", beta), optimizer.format("generator", beta)


def _tiny(size: int, images: int) -> tuple[str, ...]:
    return f"data.batch_size={size}", *_budget(images)


def _few(n: int) -> tuple[str, str]:
    return "data.source._target_=scripts.benchmarks.watch.data.few_digits", f"+data.source.n={n}"


def _few_fashion(n: int) -> tuple[str, str, str]:
    source = "scripts.benchmarks.watch.data.few_fashion"
    return f"data.source._target_={source}", f"+data.source.n={n}", "data.extractor=fashion"


_WELL: dict[str, tuple[str, ...]] = {
    "digits non-saturating": _MLP,
    "digits minimax": (*_MLP, "model/loss=minimax"),
    "digits R1": _R1,
    "digits conditional RpGAN R1 R2": ("model=cgan", *_COMMON, *_SHORT),
    "digits RpGAN R1 R2": (*_R1, "model/loss=relativistic", _BOTH),
    "digits least squares R1": (*_R1, "model/loss=least_squares"),
    "digits hinge R1": (*_R1, "model/loss=hinge"),
    "digits minimax R1": (*_R1, "model/loss=minimax"),
    "digits R1 batch 128": (*_R1, "data.batch_size=128", *_budget(96_000)),
    "digits R1 batch 32": (*_R1, "data.batch_size=32", *_budget(24_000)),
    "digits R1 slow": (*_R1, *_rates(1e-3), *_budget(64_000)),
    "digits non-saturating fast": (*_MLP, *_rates(2e-3)),
    "digits R1 two rates": (*_R1, *_rates(2e-3, 1e-3), *_budget(64_000)),
    "digits R1 n_critic 2": (*_R1, "+model.players.generator.every=2"),
    "digits R1 narrow": (*_R1, "model.generator.width=128", "model.discriminator.width=128", *_budget(64_000)),
    "digits R1 beta1 0.5": (*_R1, *_momentum(0.5), *_budget(64_000)),
    "digits DCGAN R1": (*_CONV, *_rates(2e-3)),
    "digits DCGAN conditional": ("model=cdcgan", *_CONV[1:]),
    "digits DCGAN least squares": (*_CONV, *_rates(2e-3), "model/loss=least_squares"),
    "digits DCGAN hinge": (*_CONV, *_rates(2e-3), "model/loss=hinge"),
    "line four modes": (*_LINE, "data.source.means=[-4.5,-1.5,1.5,4.5]", "data.source.stds=[0.5,0.5,0.5,0.5]"),
    "line least squares": (*_LINE, "model/loss=least_squares"),
    "line three modes": (*_LINE, "data.source.means=[-3.0,0.0,2.0]", "data.source.stds=[0.5,0.4,0.3]"),
    "line five modes": (*_LINE, "data.source.means=[-4.0,-2.0,0.0,2.0,4.0]", "data.source.stds=[0.4,0.4,0.4,0.4,0.4]"),
    "line": _LINE,
    "line two modes": (*_LINE, "data.source.means=[-2.0,1.0]", "data.source.stds=[0.3,0.5]"),
    "digits VAE": _VAE,
    "digits VAE k 4": (*_VAE, "model.autoencoder.latent=4"),
    "digits VAE beta 0.5": (*_VAE, "model.beta=0.5"),
    "digits VAE k 16": (*_VAE, "model.autoencoder.latent=16"),
    "fashion RpGAN R1 R2": _FMLP,
    "fashion RpGAN R1 R2 batch 32": (
        *_FMLP,
        "data.batch_size=32",
        "budget.images=80_000",
        "metrics.every_images=20_000",
    ),
    "fashion RpGAN R1 R2 rate 0.001": (*_FMLP, *_rates(1e-3)),
    "fashion RpGAN R1 R2 beta1 0.5": (*_FMLP, *_momentum(0.5)),
    "fashion RpGAN R1 R2 two rates": (*_FMLP, *_rates(2e-3, 1e-3)),
    "fashion RpGAN R1 R2 narrow": (*_FMLP, "model.generator.width=128", "model.discriminator.width=128"),
    "fashion RpGAN R1 R2 n_critic 2": (*_FMLP, "+model.players.generator.every=2", "data.batch_size=32"),
    "fashion RpGAN R1 R2 weights 3": (*_FMLP, "model.penalties.r1.weight=3", "model.penalties.r2.weight=3"),
    "fashion R1": _FR1,
    "fashion least squares R1": (*_FR1, "model/loss=least_squares"),
    "fashion hinge R1": (*_FR1, "model/loss=hinge"),
    "fashion minimax R1": (*_FR1, "model/loss=minimax"),
    "fashion conditional": _FCGAN,
    "fashion conditional, no extractor": (*_FCGAN, _BLIND),
    "fashion conditional rate 0.001": (*_FCGAN, *_rates(1e-3)),
    "fashion RpGAN R1 R2, no extractor": (*_FMLP, _BLIND),
    "fashion DCGAN batch 16": (*_FCONV, "model=dcgan_r1", "data.batch_size=16", *_rates(2e-3)),
    "fashion DCGAN conditional": (*_FCONV, "model=cdcgan"),
    "fashion DCGAN conditional RpGAN": (*_FCONV, "model=cdcgan", "model/loss=relativistic"),
    "fashion DCGAN conditional hinge": (*_FCONV, "model=cdcgan", "model/loss=hinge"),
    "fashion DCGAN conditional least squares": (*_FCONV, "model=cdcgan", "model/loss=least_squares"),
    "fashion DCGAN conditional, no extractor": (*_FCONV, "model=cdcgan", _BLIND),
    "fashion VAE": (*_FVAE, "model.r_loss_factor=3675"),
    "fashion VAE r_loss_factor 1000": (*_FVAE, "model.r_loss_factor=1000"),
}
_WRONG: dict[str, tuple[str, ...]] = {
    "digits minimax, strong D": (*_MLP, *_SHORT, "model/loss=minimax", *_rates(2e-3, 2e-4)),
    "digits minimax, stronger D": (*_MLP, *_SHORT, "model/loss=minimax", *_rates(5e-3, 1e-4)),
    "digits rate 0.01 beta1 0.9": (*_MLP, *_SHORT, *_rates(1e-2), *_momentum(0.9)),
    "digits rate 0.005 beta1 0.9": (*_MLP, *_SHORT, *_rates(5e-3), *_momentum(0.9)),
    "digits rate 0.03": (*_MLP, *_SHORT, *_rates(3e-2)),
    "digits R1 rate 0.03": (*_R1, *_SHORT, *_rates(3e-2)),
    "digits batch 2, rate 0.01": (*_MLP, *_tiny(2, 2_000), *_rates(1e-2)),
    "digits batch 4, rate 0.01": (*_MLP, *_tiny(4, 4_000), *_rates(1e-2)),
    "digits n_critic 100": (*_MLP, *_SHORT, "+model.players.generator.every=100"),
    "digits G moves 20 times": (*_MLP, *_SHORT, "+model.players.discriminator.every=20"),
    "digits Wasserstein, no penalty": (*_MLP, *_SHORT, "model/loss=wasserstein"),
    "digits Wasserstein, rate 0.01": (*_MLP, *_SHORT, "model/loss=wasserstein", *_rates(1e-2)),
    "digits hinge, rate 0.01": (*_MLP, *_SHORT, "model/loss=hinge", *_rates(1e-2), *_momentum(0.5)),
    "digits least squares, rate 0.02": (*_MLP, *_SHORT, "model/loss=least_squares", *_rates(2e-2)),
    "digits R1 weight 3000": (*_R1, *_SHORT, "model.penalties.r1.weight=3000"),
    "digits weak D": (*_MLP, *_SHORT, *_rates(2e-5, 5e-3)),
    "digits DCGAN rate 0.02 beta1 0.9": (*_CONV, *_budget(24_000), *_rates(2e-2), *_momentum(0.9)),
    "digits DCGAN batch 2": (*_CONV, *_tiny(2, 2_000), *_rates(1e-2)),
    "digits DCGAN minimax, strong D": (
        "model=dcgan", *_CONV[1:], *_budget(24_000), "model/loss=minimax", *_rates(5e-3, 5e-5),
    ),
    "digits DCGAN weak D": (*_CONV, *_budget(24_000), *_rates(1e-5, 5e-3)),
    "ring8 rate 0.02 beta1 0.9": (*_RING, *_rates(2e-2), *_momentum(0.9)),
    "ring8 minimax, strong D": (*_RING, "model/loss=minimax", *_rates(1e-2, 1e-4)),
    "grid25 rate 0.02 beta1 0.9": (*_GRID, *_rates(2e-2), *_momentum(0.9)),
    "grid25 G moves 20 times": (*_GRID, "+model.players.discriminator.every=20"),
    "line rate 0.1 beta1 0.9": (*_LINE, *_rates(1e-1), *_momentum(0.9)),
    "line minimax, strong D": (*_LINE, "model/loss=minimax", *_rates(3e-2, 1e-5)),
    "digits VAE beta 100": (*_VAE, *_budget(96_000), "model.beta=100"),
    "digits VAE beta 30, k 4": (*_VAE, *_budget(96_000), "model.autoencoder.latent=4", "model.beta=30"),
    "digits VAE rate 0.3": (*_VAE, *_budget(96_000), "model.players.autoencoder.optimizer.lr=0.3"),
    "digits VAE r_loss_factor 1": (*_VAE, *_budget(96_000), "model.r_loss_factor=1"),
    "digits, 64 of them": (*_MLP, *_few(64), *_rates(2e-3)),
    "digits, 100 of them, least squares": (*_MLP, *_few(100), *_rates(2e-3), "model/loss=least_squares"),
    "fashion minimax, strong D": (*_PLAIN, "model/loss=minimax", *_rates(2e-3, 2e-4)),
    "fashion minimax, stronger D": (*_PLAIN, "model/loss=minimax", *_rates(5e-3, 1e-4)),
    "fashion rate 0.01 beta1 0.9": (*_PLAIN, *_rates(1e-2), *_momentum(0.9)),
    "fashion rate 0.005 beta1 0.9": (*_PLAIN, *_rates(5e-3), *_momentum(0.9)),
    "fashion rate 0.03": (*_PLAIN, *_rates(3e-2)),
    "fashion R1 rate 0.03": (*_PLAIN, "model=gan_r1", *_rates(3e-2)),
    "fashion batch 2, rate 0.01": (*_PLAIN, *_tiny(2, 3_000), *_rates(1e-2)),
    "fashion batch 4, rate 0.01": (*_PLAIN, *_tiny(4, 6_000), *_rates(1e-2)),
    "fashion n_critic 100": (*_PLAIN, "+model.players.generator.every=100"),
    "fashion G moves 20 times": (*_PLAIN, "+model.players.discriminator.every=20"),
    "fashion Wasserstein, no penalty": (*_PLAIN, "model/loss=wasserstein"),
    "fashion Wasserstein, rate 0.01": (*_PLAIN, "model/loss=wasserstein", *_rates(1e-2)),
    "fashion hinge, rate 0.01": (*_PLAIN, "model/loss=hinge", *_rates(1e-2), *_momentum(0.5)),
    "fashion least squares, rate 0.02": (*_PLAIN, "model/loss=least_squares", *_rates(2e-2)),
    "fashion R1 weight 3000": (*_PLAIN, "model=gan_r1", "model.penalties.r1.weight=3000"),
    "fashion weak D": (*_PLAIN, *_rates(2e-5, 5e-3)),
    "fashion rate 0.01, no extractor": (*_PLAIN, *_rates(1e-2), _BLIND),
    "fashion minimax, strong D, no extractor": (*_PLAIN, "model/loss=minimax", *_rates(5e-3, 1e-4), _BLIND),
    "fashion DCGAN rate 0.02 beta1 0.9": (*_FCONV, *_BRIEF, "model=dcgan_r1", *_rates(2e-2), *_momentum(0.9)),
    "fashion DCGAN batch 2": (*_FCONV, "model=dcgan_r1", *_tiny(2, 3_000), *_rates(1e-2)),
    "fashion DCGAN minimax, strong D": (
        *_FCONV, *_BRIEF, "model=dcgan", "model/loss=minimax", *_rates(5e-3, 5e-5), "model.generator.width=16",
        "model.discriminator.width=16",
    ),
    "fashion DCGAN weak D": (*_FCONV, *_BRIEF, "model=dcgan_r1", *_rates(1e-5, 5e-3)),
    "fashion VAE beta 100": (*_FVAE, "budget.images=50_000", "model.beta=100"),
    "fashion VAE rate 0.3": (*_FVAE, "budget.images=50_000", "model.players.autoencoder.optimizer.lr=0.3"),
    "fashion, 200 of them": (*_FMLP, "model=gan", *_few_fashion(200), *_rates(2e-3)),
    "fashion, 400 of them, least squares": (*_FMLP, "model=gan", *_few_fashion(400), "model/loss=least_squares"),
}  # fmt: skip

#: Every other recipe of either list is in the fit half: the lists go through the families in pairs.
RECIPES = [
    Recipe(name, meant, "held out" if index % 2 else "fit", overrides)
    for meant, recipes in (("well", _WELL), ("wrong", _WRONG))
    for index, (name, overrides) in enumerate(recipes.items())
]
