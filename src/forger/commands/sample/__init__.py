"""`forger sample`."""

from forger.commands.declaring import MIXTURE, SAMPLING, TRUST, Arguments, Command, Option, local


def _run(given: Arguments) -> int:
    from forger.commands.sample.execution import sample

    return sample(local(given.positionals[0]), given.options, given.places)


COMMAND = Command(
    name="sample",
    arguments="RUN",
    summary="samples, interpolations, class grids: whatever the game can draw",
    about="Pictures and samples of a run, finished or still going; the path of what was written is printed.",
    places=("data.root=FOLDER", *SAMPLING),
    options=(
        Option(
            "--what PICTURE",
            "grid, classes, walk, latent-map, density, neighbours, denoising, reconstructions, codes, translations, "
            "cycles, enlargements, mixing, directions, raw (default: the run's natural picture)",
        ),
        Option("--n N", "how many samples, frames or tiles", kind=int, least=1),
        Option("--seed S", "of the latents (default: the run's own)", kind=int),
        Option("--labels 0,1,…", "the classes to ask for (default: all)"),
        Option(
            "--condition NAME=VALUE,…",
            "what to ask for, of several labels (repeatable: rows of a grid); labels that are not named are drawn from "
            "training images that fit those",
            repeatable=True,
        ),
        Option(
            "--truncation PSI", "factor on the latents, or in W: below 1, nearer to the mean (default: 1)", kind=float
        ),
        Option("--latents FILE.npz", "of `forger invert`, or arrays z (n, latent) and labels: a grid of these, or raw"),
        Option("--input PATH", "enlarge, translate or reconstruct a picture, or each of a folder, into a file each"),
        Option(
            "--out PATH",
            "FILE.png, FILE.gif, FILE.npz (raw: arrays `samples` and `labels`) or FOLDER/ for single images (default: "
            "in the run's samples/). The natural picture as a .gif is shown through training.",
        ),
        Option("--checkpoint C", "final, last or best (default: final, else last)", choices=("final", "last", "best")),
        Option("--raw-weights", "the live weights instead of their moving average"),
        MIXTURE,
        TRUST,
    ),
    run=_run,
)
