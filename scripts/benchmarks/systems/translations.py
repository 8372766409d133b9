"""Translations that are trained for docs/results/systems.md."""

from scripts.benchmarks.systems.system import experiment

TRANSLATIONS = [
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
        "digits_pix2pix",
        "pix2pix, digits averaged to 4×4 → digits",
        gain_over_ridge="≥ 1 dB",
        psnr="",
        class_preserved="≥ 0.97",
        high_frequencies="≥ 1.3 × the next row's",
    ),
    experiment(
        "digits_pix2pix",
        "The same net on L1 alone",
        "model.adversarial=0",
        as_name="digits_pix2pix_l1",
        psnr="",
        class_preserved="",
        high_frequencies="",
    ),
    experiment(
        "fashion_pix2pix",
        "pix2pix, Fashion-MNIST: outlines → garments, 28×28",
        gain_over_ridge="≥ 1 dB",
        psnr="",
        class_preserved="",
        high_frequencies="≥ 1.3 × the next row's",
    ),
    experiment(
        "fashion_pix2pix",
        "The same net on L1 alone",
        "model.adversarial=0",
        as_name="fashion_pix2pix_l1",
        psnr="",
        class_preserved="",
        high_frequencies="",
    ),
]
