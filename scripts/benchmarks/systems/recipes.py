"""What is trained for docs/results/systems.md and docs/results/modes.md, and which scores are shown of it."""

from scripts.benchmarks.systems.autoencoding import AUTOENCODERS
from scripts.benchmarks.systems.system import System as System
from scripts.benchmarks.systems.system import experiment
from scripts.benchmarks.systems.translations import TRANSLATIONS

#: Goals of points whose modes are known.
POINTS = {"high_quality": "0.95 to 0.992", "kl_modes": "≤ 0.15", "spread": "0.75 to 1.25"}
SYSTEMS = [
    experiment(
        "gaussian_gan",
        "GAN on a density in one dimension (2014)",
        jsd="≤ 0.02 nats",
        d_from_half="≤ 0.05",
        d_from_optimum="",
    ),
    experiment("digits_gan", "GAN, MLPs, non-saturating", fd_digits="", is_digits=""),
    experiment(
        "digits_gan",
        "GAN, MLPs, minimax",
        "model/loss=minimax",
        as_name="digits_gan_minimax",
        fd_digits="",
        is_digits="",
    ),
    experiment("digits_gan_saturation", "The same GAN, D runs ahead, non-saturating", fd_digits=""),
    experiment(
        "digits_gan_saturation",
        "The same GAN, D runs ahead, minimax",
        "model/loss=minimax",
        as_name="digits_gan_saturation_minimax",
        fd_digits="",
    ),
    experiment("digits_dcgan", "DCGAN with R1", fd_digits="≤ 23.2, aim 13.9", is_digits="≥ 8.41"),
    experiment(
        "digits_dcgan",
        "MLPs with R1, as many images as DCGAN",
        "model=gan_r1",
        as_name="digits_mlp_equal_images",
        fd_digits="",
        is_digits="",
    ),
    experiment(
        "digits_dcgan",
        "MLPs with R1, about as long as DCGAN",
        "model=gan_r1",
        "budget.images=600_000",
        as_name="digits_mlp_equal_time",
        fd_digits="",
        is_digits="",
    ),
    experiment(
        "digits_cgan",
        "Conditional GAN",
        agreement_digits="≥ 0.98",
        train_on_fake="≥ 0.95",
        fd_digits="",
    ),
    experiment(
        "digits_acgan",
        "AC-GAN, D not told the labels",
        agreement_digits="≥ 0.97",
        train_on_fake="",
        fd_digits="",
    ),
    experiment(
        "digits_acgan",
        "ReACGAN, the same networks",
        "model/objectives=[reacgan]",
        as_name="digits_reacgan",
        agreement_digits="≥ 0.97",
        train_on_fake="",
        fd_digits="",
    ),
    experiment(
        "digits_biggan",
        "BigGAN, narrow",
        agreement_digits="≥ 0.97",
        train_on_fake="",
        fd_digits="",
    ),
    experiment(
        "digits_stylegan2",
        "StyleGAN2, told the class",
        fd_digits="≤ 6.6, digits_dcgan",
        agreement_digits="",
        memorisation_digits="",
    ),
    experiment(
        "digits_infogan",
        "InfoGAN, ten codes, no labels",
        code_accuracy="≥ 0.80",
        code_agreement_digits="",
        fd_digits="",
    ),
    experiment(
        "fashion_cgan",
        "Conditional GAN, convolutional, 28×28",
        fd_fashion="≤ 0.337, aim 0.193",
        agreement_fashion="≥ 0.90",
        train_on_fake="≥ 0.85",
        train_on_real="",
    ),
    experiment(
        "fashion_gan",
        "GAN, MLPs with R3GAN's loss, 28×28",
        fd_fashion="≤ 1.61, 50 Gaussians on 64 principal components",
        is_fashion="",
    ),
    experiment("fashion_dcgan", "DCGAN with R1, 28×28", fd_fashion="≤ 0.963, aim 0.48", is_fashion=""),
    experiment("fashion_r3gan", "R3GAN, 28×28", fd_fashion="≤ 0.963, aim 0.48", is_fashion=""),
    experiment(
        "emoji_dcgan",
        "DCGAN with R1 and adaptive augmentation, 3,000 emoji, 32×32",
        fd_random="real training emoji: 0.06",
        memorisation_random="",
        neighbour_ratio_random="",
    ),
    experiment(
        "emoji_dcgan",
        "The same without augmentation",
        "~model.augmentations",
        as_name="emoji_dcgan_without",
        fd_random="",
        memorisation_random="",
        neighbour_ratio_random="",
    ),
    *AUTOENCODERS,
    experiment("gaussian_flow", "Flow matching of the density in one dimension", jsd="≤ 0.02 nats"),
    experiment(
        "gaussian_flow",
        "The same by diffusion",
        *("model=diffusion", "model.steps=18"),
        as_name="gaussian_diffusion",
        jsd="≤ 0.02 nats",
    ),
    experiment("grid25_flow", "Flow matching of 25 Gaussians on a grid, σ 0.05", modes="25", **POINTS),
    experiment(
        "grid25_flow",
        "The same by diffusion",
        *("model=diffusion", "model.process.sigma_data=2.83", "model.process.p_mean=-0.5", "model.process.p_std=1.5"),
        as_name="grid25_diffusion",
        modes="25",
        **POINTS,
    ),
    experiment(
        "digits_flow",
        "Flow matching, MLP",
        fd_digits="≤ 5.2, a mixture of Gaussians; aim 2.5",
        memorisation_digits="0.45 to 0.60",
        agreement_digits="",
        train_on_fake="",
    ),
    experiment(
        "digits_diffusion",
        "Diffusion (EDM), MLP",
        fd_digits="≤ 5.2, a mixture of Gaussians; aim 2.5",
        memorisation_digits="0.45 to 0.60",
        agreement_digits="",
        train_on_fake="",
    ),
    *TRANSLATIONS,
    experiment(
        "photos_srgan",
        "SRGAN ×2, china.jpg's held-out strip",
        psnr_bicubic="",
        psnr_first="bicubic + 0.3 dB",
        psnr="first − 1.2 dB at most",
        ssim_bicubic="",
        ssim_first="bicubic + 0.02",
        high_frequencies_first="",
        high_frequencies="≥ 1.3 × first",
    ),
    experiment(
        "photos_srgan_x4",
        "SRGAN ×4, the same",
        psnr_bicubic="",
        psnr_first="bicubic + 0.1 dB",
        psnr="first − 1.2 dB at most",
        high_frequencies_first="",
        high_frequencies="≥ 1.3 × first",
    ),
    experiment(
        "fashion_srgan",
        "SRGAN ×2, Fashion-MNIST, 14 → 28",
        psnr_bicubic="",
        psnr_first="bicubic + 0.3 dB",
        psnr="first − 1.2 dB at most",
        ssim_bicubic="",
        ssim_first="bicubic + 0.02",
        high_frequencies_first="",
        high_frequencies="",
    ),
]

#: Systems of which the generator's gradient is shown, by their loss.
SATURATION = {"non-saturating": "digits_gan_saturation", "minimax": "digits_gan_saturation_minimax"}

# Mode coverage -----------------------------------------------------------------------------------------------

COVERAGE = [
    experiment("ring8", "Eight Gaussians on a circle, σ 0.02", modes="8", **POINTS),
    experiment("grid25", "25 Gaussians on a grid, σ 0.05", modes="25", **POINTS),
    experiment("stacked_digits", "Three digits in one image", modes="≥ 950, aim 990", kl_modes="≤ 0.2"),
]
PICTURES = [
    experiment("digits_cgan", "Conditional GAN (RpGAN, R1, R2)"),
    experiment("digits_dcgan", "DCGAN with R1"),
]
#: Of the pictures; the rival has the first two and the last.
SCORES = ("fd_digits", "neighbour_ratio_digits", "agreement_digits", "train_on_fake", "is_digits")
