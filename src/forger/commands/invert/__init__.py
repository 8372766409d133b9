"""`forger invert`."""

from forger.commands.declaring import MIXTURE, TRUST, Arguments, Command, Option, local


def _run(given: Arguments) -> int:
    from forger.commands.invert.execution import invert

    return invert(local(given.positionals[0]), given.options, given.places)


COMMAND = Command(
    name="invert",
    arguments="RUN",
    summary="the latents of given pictures",
    about="""\
The latents from which a GAN, a VAE or an autoencoder makes given pictures, by optimisation in pixels and features.
Writes latents.npz (arrays z or w, labels, psnr, names), which `forger sample RUN --latents` takes, and inverted.png,
each picture above what was found; the path of the folder is printed.
""",
    places=("data.root=FOLDER",),
    options=(
        Option("--input PATH", "a picture, or a folder of them (needed)"),
        Option("--n N", "the first N of them", kind=int, least=1),
        Option("--labels 0,1,…", "their classes, one for all or one each (default: the search chooses)"),
        Option("--condition NAME=VALUE,…", "what is true of all of them, in a game with several labels"),
        Option("--steps N", "of the search (default: 300)", kind=int, least=1),
        Option("--starts N", "starting points for each picture (default: 4)", kind=int, least=1, most=512),
        Option("--space z|w", "of model=stylegan2, where to look (default: z)", choices=("z", "w")),
        Option("--seed S", "of the starting points (default: the run's own)", kind=int),
        Option("--out FOLDER", "a new or empty folder (default: inverted/ in the run's samples/)"),
        Option("--checkpoint C", "final, last or best (default: final, else last)", choices=("final", "last", "best")),
        Option("--raw-weights", "the live weights instead of their moving average"),
        MIXTURE,
        TRUST,
    ),
    run=_run,
)
