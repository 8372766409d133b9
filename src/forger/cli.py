"""The `forger` command: which part answers, and how an exception becomes one line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

# Nothing heavy here: `--help` must answer at once. Each command imports what it needs.

_HELP = """\
forger: an experiment pipeline for generative adversarial networks and autoencoders

  forger train [OVERRIDES]       one run; with -m, a sweep (Hydra's own syntax, all of it)
  forger sweep run|worker|status|export-wandb SWEEP   search with pruning and crash-proof trials
  forger evaluate SOURCE         score a run, a checkpoint or a folder of images against a reference
  forger sample RUN              samples, interpolations, class grids: whatever the game can draw
  forger report RUNS...          one self-contained HTML page that compares variants
  forger reproduce RUN           train again from the record, compare bit by bit
  forger runs [FOLDER]           a table of runs and their state
  forger doctor                  what this machine has, and what to do about the rest

`forger COMMAND --help` says more; FORGER_DEBUG=1 shows tracebacks.
Exit codes: 0 finished, 1 failed, 2 input or config wrong, 3 diverged or stopped by the watch,
130/143 interrupted (state saved; the same command continues)."""

_RUNS_HELP = """\
forger runs [FOLDER] [--json]

A table of the runs in FOLDER (default: runs) and their state. `killed` is a run whose process is gone
without a word, `broken` a folder whose record can't be read. --json: path, status, alive, problem, record."""

_DOCTOR_HELP = """\
forger doctor [--json]

What this machine has (Python, packages, devices, W&B login, extractor weights, disk), and what to do
about the rest. Ends with 1 if something that training needs is missing."""

_SAMPLE_HELP = """\
forger sample RUN [OPTIONS]

Pictures and samples of a run, finished or still going; the path of what was written is printed.

  --what PICTURE    grid, classes, walk, latent-map, density, neighbours, reconstructions, codes, translations,
                    cycles, enlargements, raw (default: the run's natural picture)
  --n N             how many samples, frames or tiles
  --seed S          of the latents (default: the run's own)
  --labels 0,1,…    the classes to ask for (default: all)
  --truncation PSI  factor on the latents: below 1 for samples nearer to the average (default: 1)
  --input PATH      a picture or folder to work on, for runs that take one
  --out PATH        FILE.png, FILE.gif, FILE.npz (raw: arrays `samples` and `labels`) or FOLDER/ for single
                    images (default: in the run's samples/). The natural picture as a .gif is shown through training.
  --checkpoint C    final, last or best (default: final, or the last one of an unfinished run)
  --raw-weights     the live weights instead of their moving average
  --trust           build whatever the run's config names: for runs of your own with classes of your own"""

_EVALUATE_HELP = """\
forger evaluate SOURCE [OPTIONS]

Scores of a run folder, a checkpoint in one, a folder of images, an .npz (array `samples`, uint8 n×h×w×c, as
`forger sample` writes it) or an exported generator (.pt2) against real images, each with its standard error.

  --reference R     a data set (digits, digits/train, mnist/test; by itself its test split), a folder of images
                    or an .npz; ./digits is the folder (default: the test split of a run's own data)
  --extractor E     digits, inception, or a module by import path or .pt2 file
                    (default: the run's own; digits for grey 8×8 images, else inception)
  --weights FILE    of the extractor
  --scores A,B,…    fd (fid), fd_infinity, is, kd (kid), precision, recall, density, coverage, memorisation, vendi,
                    accuracy (default: the run's own; fd, is, kd, precision, recall)
  --n N             how many images are scored (default: the run's metrics.n; all of a folder)
  --seed S          of the latents, or of the subset (default: the run's metrics.seed, 0)
  --json            scores with their whole passports
  --trust           build whatever the run's config names: for runs of your own with classes of your own"""

_EVALUATE_OPTIONS = ("reference", "extractor", "weights", "scores", "n", "seed")

_SAMPLE_OPTIONS = ("what", "n", "seed", "labels", "truncation", "input", "out", "checkpoint")

_NOT_YET = ("sweep", "report", "reproduce")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command (of ``sys.argv`` by default) and return its exit code; every failure is one line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output has gone (`forger runs | head`): Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        return tell(error)


def tell(error: BaseException) -> int:
    """Write the one line that explains an exception to stderr; its exit code."""
    from forger.explain import explain

    if os.environ.get("FORGER_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    line, code = explain(error, groups=config_groups())
    print(f"forger: {line}", file=sys.stderr, flush=True)
    return code


def conf_folder() -> Path:
    """The folder of shipped configs: the repository's in a checkout, else the one in the package."""
    package = Path(__file__).resolve().parent
    repository = package.parent.parent / "conf"
    # An editable install may have left a copy in the package, which must not win.
    if package.parent.name == "src" and repository.is_dir():
        return repository
    return package / "conf"


def config_groups() -> dict[str, list[str]]:
    """The shipped config groups and their options."""
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in sorted(conf_folder().iterdir())
        if folder.is_dir()
    }


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command in ("--help", "-h", "help"):
        print(_HELP)
        return 0
    if command == "--version":
        from forger import __version__

        print(f"forger {__version__}")
        return 0
    if command in ("-sc", "--shell-completion"):
        from forger.launch import complete

        return complete(arguments, sorted([*_COMMANDS, *_NOT_YET]))
    if command in _NOT_YET:
        return _not_yet(command, arguments[1:])
    if command not in _COMMANDS:
        from forger.errors import ConfigError, closest

        if "=" in command:
            raise ConfigError(f"'{command}': no command; an override needs one: forger train {command}")
        raise ConfigError(f"'{command}': no such command; {closest(command, [*_COMMANDS, *_NOT_YET])}")
    return _COMMANDS[command](arguments[1:])


def _train(arguments: list[str]) -> int:
    from forger.launch import train

    return train(arguments)


def _runs(arguments: list[str]) -> int:
    from forger.listing import show_runs

    if _wants_help(arguments, _RUNS_HELP):
        return 0
    folders = _without_flags("runs", arguments, {"--json"}, most=1)
    return show_runs(folders[0] if folders else None, as_json="--json" in arguments)


def _doctor(arguments: list[str]) -> int:
    if _wants_help(arguments, _DOCTOR_HELP):
        return 0
    _without_flags("doctor", arguments, {"--json"}, most=0)
    from forger.doctor import examine

    return examine(as_json="--json" in arguments)


def _sample(arguments: list[str]) -> int:
    if _wants_help(arguments, _SAMPLE_HELP):
        return 0
    flags = {"--raw-weights", "--trust"}
    runs, options = _with_options("sample", arguments, _SAMPLE_OPTIONS, flags, most=1)
    if not runs:
        from forger.errors import ConfigError

        raise ConfigError("sample: which run? forger sample RUN (`forger runs` lists them)")
    from forger.sampling import sample

    raw_weights, trust = "--raw-weights" in arguments, "--trust" in arguments
    return sample(runs[0], options, raw_weights=raw_weights, trust=trust)


def _evaluate(arguments: list[str]) -> int:
    if _wants_help(arguments, _EVALUATE_HELP):
        return 0
    flags = {"--json", "--trust"}
    sources, options = _with_options("evaluate", arguments, _EVALUATE_OPTIONS, flags, most=1)
    if not sources:
        from forger.errors import ConfigError

        raise ConfigError("evaluate: what? forger evaluate SOURCE: a run, a checkpoint, images or a generator")
    from forger.evaluating import evaluate

    return evaluate(sources[0], options, as_json="--json" in arguments, trust="--trust" in arguments)


def _not_yet(command: str, arguments: list[str]) -> int:
    line = next(line for line in _HELP.splitlines() if line.startswith(f"  forger {command}"))
    if _wants_help(arguments, f"{line.strip()}\n\nnot yet"):
        return 0
    from forger.errors import ConfigError

    raise ConfigError(f"'{command}' can't do anything yet")


def _wants_help(arguments: list[str], text: str) -> bool:
    if not {"--help", "-h"} & set(arguments):
        return False
    print(text)
    return True


def _without_flags(command: str, arguments: list[str], flags: set[str], most: int) -> list[str]:
    """The arguments that are no flags."""
    from forger.errors import ConfigError, closest

    others = [argument for argument in arguments if argument not in flags]
    for argument in others:
        if argument.startswith("-"):
            raise ConfigError(f"{command} {argument}: no such option; {closest(argument, flags)}")
    if len(others) > most:
        raise ConfigError(f"{command} {others[most]}: one argument too many (forger {command} --help)")
    return others


def _with_options(
    command: str, arguments: list[str], names: Sequence[str], flags: set[str], most: int
) -> tuple[list[str], dict[str, str]]:
    """The arguments that are neither flags nor options, and the options (``--n 9`` or ``--n=9``) by name."""
    from forger.errors import ConfigError

    rest: list[str] = []
    options: dict[str, str] = {}
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        name, has_value, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in names:
            rest.append(argument)
        elif has_value or queue:
            options[name] = value if has_value else queue.pop(0)
        else:
            raise ConfigError(f"{command} {argument}: needs a value")
    others = _without_flags(command, rest, flags | {f"--{name}" for name in names}, most)
    return others, options


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": _train,
    "runs": _runs,
    "doctor": _doctor,
    "sample": _sample,
    "evaluate": _evaluate,
}
