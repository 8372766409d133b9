"""`forger train`: Hydra composes, `forger.run.train` runs; a failure is one line and an exit code."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from forger.config.explain import tell
from forger.config.shipped import conf_folder, config_groups
from forger.endings import asking
from forger.errors import ConfigError, closest
from forger.files import write_atomically
from forger.redaction import redacted
from forger.trial import follow_parent

_HELP = """\
forger train [OVERRIDES] [HYDRA'S FLAGS]

  forger train                                  the default experiment
  forger train experiment=NAME seed=1           another one
  forger train data=mnist budget.images=1e6     any key of the config, any option of a group
  forger train -m seed=0,1,2 model=dcgan,gan    a sweep over the grid
  forger train --config-dir FOLDER …            your own configs in front of the shipped ones (repeatable)
  forger train --from RUN budget.images=50_000  a new run with RUN's config and weights
  forger train --cfg job                        show the config, train nothing
  eval "$(forger -sc install=bash)"             completion in this shell

The same command is the same run: finished, it says so; interrupted, it continues;
run.restart=true starts over.
"""

#: Hydra's flags and how many values each takes; None: one of the listed ones, or none.
_FLAGS: dict[str, int | None] = {
    "--help": 0, "--hydra-help": 0, "--version": 0, "--resolve": 0, "--run": 0, "--multirun": 0,
    "--shell-completion": 0, "--cfg": 1, "--package": 1, "--config-path": 1, "--config-name": 1,
    "--config-dir": 1, "--info": None, "--from": 1, "--trust": 0,
}  # fmt: skip
_SHORT = {
    "-h": "--help", "-r": "--run", "-m": "--multirun", "-sc": "--shell-completion", "-c": "--cfg",
    "-p": "--package", "-cp": "--config-path", "-cn": "--config-name", "-cd": "--config-dir", "-i": "--info",
}  # fmt: skip
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")

#: Exit codes from good to bad: a failure is worse than a wrong input, which is worse than a divergence.
_SEVERITY = (0, 3, 2, 1)


def train(arguments: Sequence[str]) -> int:
    """Compose a config from Hydra's arguments and run it, or each job of a multirun; the worst exit code.

    Hydra reads ``sys.argv``; while jobs run, it is what the user typed, since Lightning starts the other
    ranks of a distributed run with it.
    """
    flags, overrides = parsed(arguments)
    if "--help" in flags:
        print(_help())
        return 0
    multirun = "--multirun" in flags
    follow_parent()
    # Otherwise Hydra prints an exception in its own way and ends the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    import hydra

    owner, codes, typed = os.getpid(), [0], [sys.argv[0], "train", *arguments]

    def task(config: Any) -> None:
        sys.argv = typed
        code = _job(config, flags)
        codes.append(code)
        if code >= 128:
            raise SystemExit(code)  # interrupted: no further jobs
        if code and os.getpid() != owner:
            raise RuntimeError(f"a job ended with exit code {code}")  # in a launcher's worker: tell Hydra

    with ExitStack() as stack:
        first, own, for_hydra, overrides = _configs(flags, overrides, stack)
        sys.argv = [sys.argv[0], *for_hydra, *overrides]
        try:
            hydra.main(config_path=str(first), config_name="train", version_base="1.3")(task)()
        except UnicodeDecodeError as error:
            file = _not_utf8([*own, first])
            raise ConfigError(f"{file}: {error.reason} at byte {error.start}; save it as UTF-8") from error
        finally:
            sys.argv = typed
            if multirun:
                root = [text.partition("=")[2] for text in overrides if text.startswith("run.root=")]
                hide_secrets(Path(root[-1] if root else "runs", "multirun"))
    return max(codes, key=_SEVERITY.index)


def complete(arguments: Sequence[str], commands: Sequence[str]) -> int:
    """Answer Hydra's shell completion, which asks ``forger`` without a command."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) == 2:
        print(" ".join(command for command in commands if command.startswith(words[1])))
        return 0
    if len(words) > 2:
        if words[1] != "train":
            return 0
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])
    return train(arguments)


def parsed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags (long, each with its value) and the overrides, apart: Hydra wants overrides in a row.

    Raises:
        ConfigError: no such flag, or its value is missing.
    """
    flags: list[str] = []
    overrides: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        name, has_value, value = argument.partition("=")
        name = _SHORT.get(name, name)
        if name not in _FLAGS:
            raise ConfigError(f"{argument}: no such option of forger train; {closest(name, _FLAGS)}")
        flags.append(name)
        if name == "--info":
            flags[-1] += f"={value or (queue.pop(0) if queue and queue[0] in _INFO else 'all')}"
        elif _FLAGS[name]:
            if not has_value and not queue:
                raise ConfigError(f"{argument}: needs a value")
            flags.append(value if has_value else queue.pop(0))
    return flags, overrides


def _configs(flags: list[str], overrides: list[str], stack: ExitStack) -> tuple[Path, list[Path], list[str], list[str]]:
    """The main folder of configs, those in front of it, Hydra's flags, and the overrides.

    For a fork the main folder has the config of its origin, and the user's own hold its groups alone.
    """
    from forger.config.layers import in_front, own_folders

    given, flags = _taken("--config-dir", flags)
    own = own_folders(given)
    origins, flags = _taken("--from", flags)
    trust, flags = "--trust" in flags, [flag for flag in flags if flag != "--trust"]
    if not origins:
        if trust:
            raise ConfigError("--trust: goes with --from RUN; your own configs are trusted anyway")
        stack.enter_context(in_front(own))
        return conf_folder(), own, flags, overrides
    from forger.commands.forking import fork

    main, overrides = stack.enter_context(fork(origins[-1], overrides, [*own, conf_folder()], trust=trust))
    return main, own, flags, overrides


def _taken(name: str, flags: list[str]) -> tuple[list[str], list[str]]:
    """The values of a flag, and the flags without it."""
    places = [place for place, flag in enumerate(flags) if flag == name]
    rest = [flag for place, flag in enumerate(flags) if place not in places and place - 1 not in places]
    return [flags[place + 1] for place in places], rest


def _not_utf8(folders: Sequence[Path]) -> Path:
    """The first config file below the folders that is not UTF-8, which Hydra's error does not name."""
    for file in (file for folder in folders for file in sorted(folder.rglob("*.yaml"))):
        try:
            file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return file
        except OSError:
            continue
    return folders[0]


def _help() -> str:
    known = {group: options for group, options in config_groups().items() if group not in ("sweep", "launcher")}
    groups = (f"  {group}: {', '.join(options)}" for group, options in known.items())
    return "\n".join([_HELP, "Config groups and their options:", *groups])


def _job(config: Any, flags: list[str]) -> int:
    """One run, and its exit code; exceptions are reported here, so that the other jobs of a multirun go on."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    job = HydraConfig.get()
    try:
        if job.mode == RunMode.MULTIRUN:
            hide_secrets(Path(job.sweep.dir))
            print(
                f"forger: job {job.job.num}: {' '.join(redacted(list(job.overrides.task)))}",
                file=sys.stderr,
                flush=True,
            )
            from forger.config.placement import is_distributed

            if is_distributed(config):
                return _fresh_process(job.overrides, flags)
        from forger.config.placement import check_launcher

        check_launcher()
        from forger.run import train

        return train(config)
    except (Exception, KeyboardInterrupt) as error:
        return tell(error)


def hide_secrets(folder: Path) -> None:
    """Take the secrets out of the config that Hydra keeps of a multirun."""
    import yaml

    file = folder / "multirun.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None
    if (shown := redacted(config)) != config:
        write_atomically(file, yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))


def _fresh_process(overrides: Any, flags: list[str]) -> int:
    """Run a job of a multirun as a process of its own.

    Lightning starts the other ranks with this process's command line. Under ``-m`` each of them would begin
    the whole multirun anew, and train something else than rank 0.
    """
    flags = [flag for flag in flags if flag != "--multirun"]
    of_hydra = [override for override in overrides.hydra if not override.startswith("hydra.mode=")]
    command = [sys.executable, "-m", "forger", "train", *flags, *of_hydra, *overrides.task]
    # A group of its own, so that Ctrl-C in a terminal reaches it once: through us.
    process = subprocess.Popen(command, process_group=0)
    in_main_thread = threading.current_thread() is threading.main_thread()
    numbers = asking() if in_main_thread else ()
    former = {number: signal.signal(number, lambda n, _: process.send_signal(n)) for number in numbers}
    try:
        code = process.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
