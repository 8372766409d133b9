"""`forger evaluate`."""

from forger.commands.declaring import MIXTURE, SAMPLING, TRUST, Arguments, Command, Option, local


def _run(given: Arguments) -> int:
    from forger.commands.evaluate.execution import evaluate

    return evaluate(local(given.positionals[0]), given.options, given.places)


COMMAND = Command(
    name="evaluate",
    arguments="SOURCE",
    summary="score a run, a checkpoint or a folder of images against a reference",
    about="""\
Scores of a run folder, a checkpoint in one, a folder of images, a file of them (.npz of `forger sample`, .npy, .zip,
… as data=files takes them) or an exported generator (.pt2) against real images, each with its standard error. Images
are as deep as they are; those of 16 bits or floats have the range that the other side, a run, a data set or an .npz,
states, else all 65,536 levels or what the reference has.
""",
    places=("data.root=FOLDER", *SAMPLING),
    options=(
        Option(
            "--reference R",
            "a data set (digits, digits/train, mnist/test; by itself its test split), a folder or file of images, "
            "an .npz of published statistics (mu, sigma) or a run, for its data; ./digits is the folder (default: the "
            "test split of the data of the run, or of that which an exported generator is from)",
        ),
        Option(
            "--extractor E",
            "digits, fashion, inception, dinov2, random, a .safetensors file of forger extractor, or a torch.nn.Module "
            "by import path (package.module.Class) or .pt2 file (default: the run's own; else one that forger "
            "ships for the reference's data, inception if its weights are here, random)",
        ),
        Option("--weights FILE", "of the extractor"),
        Option(
            "--preprocess P",
            "what a module of yours gets, as size=224,antialias=true,channels=3,range=-1:1 (or mean=…:…:…, std=…); by "
            "default 3 channels in [0, 1], not resized; grey is repeated. Of inception: resize=clean (as clean-fid), "
            "precision=bfloat16. Part of the passport",
        ),
        Option(
            "--scores A,B,…",
            "fd (fid), fd_infinity, is, kd (kid), precision, recall, density, coverage, memorisation, vendi, accuracy, "
            "and a run's own others: agreement_Smiling, r2_age (default: all of the run's own; fd, is, kd, precision, "
            "recall)",
        ),
        Option("--n N", "how many images (default: the run's metrics.n; all of a folder)", kind=int, least=10),
        Option("--seed S", "of the latents, or of the subset (default: the run's metrics.seed, 0)", kind=int),
        Option("--json", "scores with their whole passports"),
        MIXTURE,
        TRUST,
    ),
    run=_run,
)
