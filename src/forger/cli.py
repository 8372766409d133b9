"""The `forger` command: calls a subcommand and turns an exception into one line and an exit code."""

import atexit
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from forger import standard_streams
from forger.commands.declaring import Command
from forger.endings import asking, leave_terminal
from forger.errors import ConfigError, closest

# Nothing heavy here: `--help` must answer at once. Each command imports what it needs.

#: The subcommands as the overview lists them; each is the module of `forger.commands` that has its name.
COMMANDS = (
    *("train", "sweep", "evaluate", "sample", "invert", "export", "play", "report"),
    *("reproduce", "runs", "data", "extractor", "doctor"),
)


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
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if name == "--version":
        from forger import __version__

        print(f"forger {__version__}")
        return 0
    if name in ("-sc", "--shell-completion"):
        return _complete(arguments)
    if name not in COMMANDS:
        if "=" in name:
            raise ConfigError(f"'{name}': no command; an override needs one: forger train {name}")
        raise ConfigError(f"'{name}': no such command; {closest(name, COMMANDS)}")
    return _command(name)(arguments[1:])


def _command(name: str) -> Command:
    return import_module(f"forger.commands.{name}").COMMAND


def _overview() -> str:
    """What `forger --help` prints."""
    commands = [_command(name) for name in COMMANDS]
    rows = [f"  {f'forger {each.name} {each.arguments}':31}  {each.summary}" for each in commands]
    return "\n".join([_TITLE, "", *rows, "", _NOTES])


def _complete(arguments: list[str]) -> int:
    """Answer a shell's question about a command line that begins with ``forger``, in the manner of Hydra."""
    line = os.environ.get("COMP_LINE", "").split(" ")
    if len(line) == 2:
        print(" ".join(name for name in sorted(COMMANDS) if name.startswith(line[1])))
        return 0
    if len(line) > 2:
        if line[1] != "train":
            return 0
        os.environ["COMP_LINE"] = " ".join([line[0], *line[2:]])
    return _command("train")(arguments)


_TITLE = "forger: an experiment pipeline for generative adversarial networks and autoencoders"
_NOTES = """\
`forger COMMAND --help` says more; FORGER_DEBUG=1 shows tracebacks.
Exit codes: 0 finished, 1 failed, 2 input or config wrong, 3 diverged or stopped by the watch,
130/143 interrupted (state saved; the same command continues)."""
