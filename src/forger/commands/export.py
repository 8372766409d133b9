"""`forger export`."""

from pathlib import Path
from typing import Any

from forger.commands.declaring import MIXTURE, SAMPLING, TRUST, Arguments, Command, Option, local
from forger.errors import ConfigError
from forger.export.writing import Format, check_free, check_packages, write_file, write_folder

#: The formats, of which the first is written unless another is named.
_FORMATS = ("onnx", "pt2", "safetensors")


def _run(given: Arguments) -> int:
    options = given.options
    run, (form, place) = local(given.positionals[0]), _asked(options)
    check_packages(form)
    if place is not None:
        check_free(place)
    if place is not None and "card" in options and _suffix(place):
        raise ConfigError(f"--card -o {place}: a card goes into a folder, -o {place.with_suffix('')}")

    from forger.console import say, show_lines
    from forger.export.files import exported
    from forger.lifecycle.restore import restored

    show_lines()
    mixture = options.get("mixture")
    read = restored(run, options.get("checkpoint"), trust="trust" in options, places=given.places, mixture=mixture)
    if place is None:
        read.folder.refuse_links_out()
        place = read.folder.path / "export" / form
        check_free(place)
    single = _suffix(place) == form
    raw = "raw-weights" in options
    made = exported(read, form, raw_weights=raw)
    files = {name: file.content for name, file in made.items()}
    if "card" in options:
        from forger.export.card_files import card_files

        files |= card_files(read, {name: file.about for name, file in made.items()}, form, raw_weights=raw)
    if not single:
        write_folder(place, files)
    elif len(files) == 1:
        write_file(place, *files.values())
    else:
        raise ConfigError(f"-o {place}: {' and '.join(files)} go into a folder, -o {place.with_suffix('')}")
    say(f"{read.checkpoint}: {', '.join(files)}" if not single else f"{read.checkpoint}: {place.name}")
    print(place)
    return 0


def _asked(options: dict[str, Any]) -> tuple[Format, Path | None]:
    """The format and the place that the user names.

    Raises:
        ConfigError: the place is a file of another format.
    """
    place = Path(options["out"]) if "out" in options else None
    suffix = "" if place is None else _suffix(place)
    form = options.get("format", suffix or _FORMATS[0])
    if suffix and form != suffix:
        raise ConfigError(
            f"--format {form} -o {place}: the name of a file of another format; -o NAME.{form} or a folder"
        )
    return form, place


def _suffix(place: Path) -> str:
    """The format that a name is of; "" for a folder."""
    suffix = place.suffix.removeprefix(".").lower()
    return suffix if suffix in _FORMATS else ""


COMMAND = Command(
    name="export",
    arguments="RUN",
    summary="what the run's game makes as ONNX, .pt2 or safetensors, for use without forger",
    about="""\
Writes the networks of a run that are of use without it: generator (a GAN's), encoder and decoder (of an autoencoder),
translator_ab and translator_ba (CycleGAN; pix2pix has the first, without its noise), enlarger (SRGAN, any height and
width): a file for each, as generator.onnx.
They take any number of samples at a time, in float32: z (n, latent), with labels (n) or conditions (n, k) where the
game has some, or images in [-1, 1]; the encoder of a VAE gives mean and log_variance. Each file has a JSON document
under the key `forger`: names, shapes and ranges of inputs and outputs, the unit of pixels, the run's id, scores with
passports, the weights' sha256. safetensors has the weights of a whole network (generator, autoencoder) and its config.
""",
    places=("data.root=FOLDER", *SAMPLING),
    options=(
        Option(
            "--format FORMAT",
            "onnx (default; needs forger[export]), pt2 (torch.export.load) or safetensors (weights alone)",
            choices=_FORMATS,
        ),
        Option("--checkpoint C", "final, last or best (default: final, else last)", choices=("final", "last", "best")),
        Option(
            "--card",
            "a README.md beside the files, a model card as Hugging Face has them, with samples.png: the folder can be "
            "uploaded as it is",
        ),
        Option("--raw-weights", "the live weights instead of their moving average"),
        Option(
            "-o, --out OUT",
            "a folder, new or empty, or, where one file will do, that file: -o faces.onnx (default: export/FORMAT in "
            "the run); nothing is overwritten",
        ),
        MIXTURE,
        TRUST,
    ),
    run=_run,
)
