"""The `forger` command: calls a subcommand and turns an exception into one line and an exit code."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from forger import standard_streams
from forger.commands import help
from forger.commands.options import local, places_among, with_options, without_flags
from forger.endings import asking, leave_terminal

# Nothing heavy here: `--help` must answer at once. Each command imports what it needs.

_EVALUATE_OPTIONS = ("reference", "extractor", "weights", "preprocess", "scores", "n", "seed")

_SAMPLE_OPTIONS = ("what", "n", "seed", "labels", "truncation", "input", "out", "checkpoint")

_REPORT_OPTIONS = ("output", "port", "project", "entity")
_MOST_FOLDERS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command (of ``sys.argv`` by default) and return its exit code; every failure is one line."""
    if arguments is None:
        return _process()
    # Checkpoints are read as data only, even if the environment asks torch for more.
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    try:
        code = _dispatch(list(arguments))
        _flush()
        return code
    except BrokenPipeError:
        _flush()
        return 1
    except (Exception, KeyboardInterrupt) as error:
        from forger.config.explain import tell

        return tell(error)


def _process() -> int:
    """`main` for a whole process, which ends after its exit handlers.

    Python's clean-up of torch and other packages is skipped: it takes two seconds of a processor, and 18 s on a busy
    one.
    """
    standard_streams.settle()
    codes: list[int] = []

    def leave() -> None:
        if codes:
            _flush()
            os._exit(codes[0])

    def hear(number: int, frame: FrameType | None) -> None:
        if codes:  # on its way out: asked again, it goes on with that, and a second Ctrl-C ends it at once
            if number == signal.SIGINT:
                os._exit(codes[0])
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        codes.append(128 + number)
        if number == signal.SIGHUP:
            leave_terminal()
        raise SystemExit(codes[0])

    for number in asking():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, hear)
    atexit.register(leave)  # the first to be registered is the last to be called
    try:
        codes.append(main(sys.argv[1:]))
    except KeyboardInterrupt:  # a second one, while the first was being told
        codes.append(128 + signal.SIGINT)
    except SystemExit as end:
        codes.append(end.code if isinstance(end.code, int) else int(end.code is not None))
        _flush()
        raise
    return codes[0]


def _flush() -> None:
    """Write out what was printed; if its reader has gone (`forger runs | head`), Python must not complain at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command in ("--help", "-h", "help"):
        print(help.OVERVIEW)
        return 0
    if command == "--version":
        from forger import __version__

        print(f"forger {__version__}")
        return 0
    if command in ("-sc", "--shell-completion"):
        from forger.commands.train import complete

        return complete(arguments, sorted(_COMMANDS))
    if command not in _COMMANDS:
        from forger.errors import ConfigError, closest

        if "=" in command:
            raise ConfigError(f"'{command}': no command; an override needs one: forger train {command}")
        raise ConfigError(f"'{command}': no such command; {closest(command, _COMMANDS)}")
    return _COMMANDS[command](arguments[1:])


def _train(arguments: list[str]) -> int:
    from forger.commands.train import train

    return train(arguments)


def _runs(arguments: list[str]) -> int:
    from forger.commands.runs import show_runs

    if _wants_help(arguments, help.COMMANDS["runs"]):
        return 0
    folders = without_flags("runs", arguments, {"--json"}, most=1)
    return show_runs(folders[0] if folders else None, as_json="--json" in arguments)


def _doctor(arguments: list[str]) -> int:
    if _wants_help(arguments, help.COMMANDS["doctor"]):
        return 0
    without_flags("doctor", arguments, {"--json"}, most=0)
    from forger.commands.doctor import examine

    return examine(as_json="--json" in arguments)


def _sweep(arguments: list[str]) -> int:
    if _wants_help(arguments or ["--help"], help.COMMANDS["sweep"]):
        return 0
    from forger.commands.sweep import sweep

    return sweep(arguments)


def _sample(arguments: list[str]) -> int:
    if _wants_help(arguments, help.COMMANDS["sample"]):
        return 0
    flags = {"--raw-weights", "--trust"}
    arguments, places = places_among(arguments, ["data.root"])
    runs, options = with_options("sample", arguments, _SAMPLE_OPTIONS, flags, most=1)
    if not runs:
        from forger.errors import ConfigError

        raise ConfigError("sample: which run? forger sample RUN (`forger runs` lists them)")
    from forger.commands.sample import sample

    raw_weights, trust = "--raw-weights" in arguments, "--trust" in arguments
    return sample(local(runs[0]), options, raw_weights=raw_weights, trust=trust, places=places)


def _evaluate(arguments: list[str]) -> int:
    if _wants_help(arguments, help.COMMANDS["evaluate"]):
        return 0
    flags = {"--json", "--trust"}
    arguments, places = places_among(arguments, ["data.root"])
    sources, options = with_options("evaluate", arguments, _EVALUATE_OPTIONS, flags, most=1)
    if not sources:
        from forger.errors import ConfigError

        raise ConfigError("evaluate: what? forger evaluate SOURCE: a run, a checkpoint, images or a generator")
    from forger.commands.evaluate import evaluate

    as_json, trust = "--json" in arguments, "--trust" in arguments
    return evaluate(local(sources[0]), options, as_json=as_json, trust=trust, places=places)


def _extractor(arguments: list[str]) -> int:
    if _wants_help(arguments or ["--help"], help.COMMANDS["extractor"]):
        return 0
    long = ["--output" if argument == "-o" else argument for argument in arguments]
    overrides, options = with_options("extractor", long, ("output", "config-dir"), set(), most=_MOST_FOLDERS)
    from forger.commands.extractor import make_extractor

    return make_extractor(overrides, options)


def _report(arguments: list[str]) -> int:
    if _wants_help(arguments, help.COMMANDS["report"]):
        return 0
    long = ["--output" if argument == "-o" else argument for argument in arguments]
    flags = {"--serve", "--wandb"}
    folders, options = with_options("report", long, _REPORT_OPTIONS, flags, most=_MOST_FOLDERS)
    from forger.commands.report import report

    return report(folders, options, serve="--serve" in long, wandb="--wandb" in long)


def _reproduce(arguments: list[str]) -> int:
    if _wants_help(arguments, help.COMMANDS["reproduce"]):
        return 0
    arguments, places = places_among(arguments, ["data.root", "run.parent"])
    runs = without_flags("reproduce", arguments, {"--trust"}, most=1)
    if not runs:
        from forger.errors import ConfigError

        raise ConfigError("reproduce: which run? forger reproduce RUN (`forger runs` lists them)")
    from forger.commands.reproduce import reproduce

    return reproduce(runs[0], trust="--trust" in arguments, places=places)


def _wants_help(arguments: list[str], text: str) -> bool:
    if not {"--help", "-h"} & set(arguments):
        return False
    print(text)
    return True


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": _train,
    "runs": _runs,
    "doctor": _doctor,
    "sweep": _sweep,
    "sample": _sample,
    "evaluate": _evaluate,
    "extractor": _extractor,
    "report": _report,
    "reproduce": _reproduce,
}
