"""What is trained for docs/results/systems.md and docs/results/modes.md, and which scores are shown of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A row of the table: a run by its overrides, and the scores that are shown with what they must reach."""

    name: str
    title: str
    overrides: tuple[str, ...]
    scores: dict[str, str]
    #: Options of `forger sample` for its picture, where the last one of training does not show what it is about.
    sample: str = ""


def experiment(
    name: str, title: str, *more: str, as_name: str | None = None, sample: str = "", **scores: str
) -> System:
    name, experiment = as_name or name, f"experiment={name}"
    return System(name, title, (experiment, *more, f"run.name={name}"), scores, sample)


#: Scores of samples by a mixture of Gaussians over an autoencoder's codes.
MIXTURE = "+metrics/evaluations=mixture"
#: What is told of each VAE of Fashion-MNIST.
FAMILY = {"elbo": "nats", "iwae_64": "nats", "total_correlation": "nats", "mse_over_pca": "", "fd_fashion": ""}


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
    experiment("digits_ae", "Autoencoder, k = 8", mse_over_pca="≤ 0.50"),
    experiment(
        "digits_ae",
        "Autoencoder, k = 2",
        "model.autoencoder.latent=2",
        as_name="digits_ae_k2",
        mse_over_pca="≤ 0.65",
    ),
    experiment("fashion_ae", "Autoencoder, k = 16, 28×28", mse_over_pca="≤ 0.50"),
    experiment("digits_stacked_ae", "Stacked autoencoder, greedy, then fine-tuned", mse_over_pca="≤ 0.75"),
    experiment(
        "digits_stacked_ae",
        "The same net end to end",
        "model.pretraining=0",
        as_name="digits_stacked_ae_end_to_end",
        mse_over_pca="",
    ),
    experiment(
        "fashion_stacked_ae",
        "Stacked autoencoder, k = 16, greedy, then fine-tuned, 28×28",
        mse_over_pca="≤ 0.75",
    ),
    experiment("digits_sparse_ae", "Sparse autoencoder", active="≤ 0.40", dead="< 0.15", mse=""),
    experiment(
        "digits_sparse_ae",
        "The same net without the penalty",
        "model.sparsity=0",
        as_name="digits_sparse_ae_without",
        mse="at least half of the sparse one's",
    ),
    experiment("fashion_sparse_ae", "Sparse autoencoder, 28×28", active="≤ 0.40", dead="", mse=""),
    experiment(
        "fashion_sparse_ae",
        "The same net without the penalty",
        "model.sparsity=0",
        as_name="fashion_sparse_ae_without",
        mse="at least half of the sparse one's",
    ),
    experiment(
        "digits_denoising_ae",
        "Denoising autoencoder, σ = 0.25",
        gain_over_wiener="≥ 0.8 dB",
        psnr_denoised="",
    ),
    experiment(
        "fashion_denoising_ae",
        "Denoising autoencoder, convolutional, σ = 0.25, 28×28",
        gain_over_wiener="",
        psnr_denoised="",
    ),
    experiment(
        "digits_vae",
        "VAE, k = 8",
        active_units="≥ 5",
        kl="nats",
        elbo="nats",
        fd_digits="≤ 23.2",
        is_digits="",
    ),
    experiment(
        "digits_vae",
        "GAN (MLPs with R1) at the budget and scores of the VAE",
        "model=gan_r1",
        "~model.r_loss_factor",
        "metrics=digits",
        as_name="compare_vae_gan",
        fd_digits="",
        is_digits="",
    ),
    experiment(
        "digits_vae",
        "The same VAE, sampled by a mixture of 10 Gaussians over its codes",
        MIXTURE,
        as_name="digits_vae_mixture",
        sample="--mixture 10",
        fd_digits="",
        fd_digits_mixture="≤ 0.7 of fd_digits",
        elbo="nats",
        iwae_64="nats",
        total_correlation="nats",
    ),
    experiment(
        "digits_ae",
        "Autoencoder, k = 8, sampled by a mixture of 10 Gaussians over its codes",
        MIXTURE,
        as_name="digits_ae_mixture",
        sample="--mixture 10",
        fd_digits_mixture="",
    ),
    experiment(
        "digits_cvae",
        "Conditional VAE",
        agreement_digits="≥ 0.95",
        train_on_fake="",
        fd_digits="",
        elbo="nats",
        iwae_64="nats",
    ),
    experiment(
        "digits_iwae",
        "Importance-weighted autoencoder",
        elbo="nats",
        iwae_64="nats",
        active_units="",
        fd_digits="",
    ),
    experiment(
        "digits_beta_tcvae",
        "β-TC-VAE",
        total_correlation="nats, below the VAE's",
        mutual_information="nats",
        elbo="nats",
        fd_digits="",
    ),
    experiment(
        "digits_wae",
        "Wasserstein autoencoder, MMD",
        mse_over_pca="",
        fd_digits="",
        fd_digits_mixture="",
    ),
    experiment(
        "fashion_vae",
        "VAE, k = 16, 28×28",
        active_units="",
        kl="nats",
        elbo="nats",
        mse_over_pca="",
        fd_fashion="",
        is_fashion="",
    ),
    experiment(
        "fashion_vae",
        "The same VAE, sampled by a mixture of 10 Gaussians over its codes",
        MIXTURE,
        as_name="fashion_vae_mixture",
        sample="--mixture 10",
        **FAMILY,
        fd_fashion_mixture="≤ 0.7 of fd_fashion",
    ),
    experiment(
        "fashion_vae",
        "Conditional VAE, k = 16, 28×28",
        "model=cvae",
        as_name="fashion_cvae",
        **FAMILY,
        agreement_fashion="",
    ),
    experiment(
        "fashion_vae",
        "Importance-weighted autoencoder, 4 codes an image, 28×28",
        "model=iwae",
        "model.draws=4",
        as_name="fashion_iwae",
        **FAMILY,
    ),
    experiment("fashion_vae", "β-TC-VAE, k = 16, 28×28", "model=beta_tcvae", as_name="fashion_beta_tcvae", **FAMILY),
    experiment(
        "fashion_ae",
        "Wasserstein autoencoder, MMD, k = 16, 28×28",
        "model=wae",
        MIXTURE,
        as_name="fashion_wae",
        mse_over_pca="",
        fd_fashion="",
        fd_fashion_mixture="",
    ),
    experiment(
        "fashion_ae",
        "Autoencoder, k = 16, 28×28, sampled by a mixture of 10 Gaussians over its codes",
        MIXTURE,
        as_name="fashion_ae_mixture",
        sample="--mixture 10",
        mse_over_pca="",
        fd_fashion_mixture="",
    ),
    experiment("digits_cyclegan", "CycleGAN, digits ↔ inverted", psnr="≥ 25 dB", class_preserved="≥ 0.97"),
    experiment(
        "fashion_cyclegan", "CycleGAN, Fashion-MNIST ↔ inverted, 28×28", psnr="≥ 25 dB", class_preserved="≥ 0.85"
    ),
    experiment(
        "digits_cyclegan_rotated",
        "CycleGAN, digits ↔ turned by 90°",
        class_preserved="≥ 0.80",
        class_after_cycle="",
        psnr="",
    ),
    experiment(
        "digits_cyclegan_rotated",
        "The same without the geometry term",
        "model.geometry=0",
        as_name="digits_cyclegan_rotated_plain",
        class_preserved="",
        class_after_cycle="",
        psnr="",
    ),
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

POINTS = {"high_quality": "0.95 to 0.992", "kl_modes": "≤ 0.15", "spread": "0.75 to 1.25"}
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
