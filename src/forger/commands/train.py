"""`forger train`: Hydra composes, `forger.run.train` runs; a failure is one line and an exit code."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forger.commands.declaring import CONFIG_DIR, TRUST, Arguments, Command, Option
from forger.config.explain import tell
from forger.config.shipped import config_groups
from forger.endings import asking
from forger.errors import ConfigError
from forger.files import write_atomically
from forger.redaction import redacted
from forger.trial import follow_parent

_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Exit codes from good to bad: a failure is worse than a wrong input, which is worse than a divergence.
_SEVERITY = (0, 3, 2, 1)


def _run(given: Arguments) -> int:
    """Compose a config as Hydra does and run it, or each job of a multirun; the worst exit code.

    Hydra reads ``sys.argv``; while jobs run, it is what the user typed, since Lightning starts the other
    ranks of a distributed run with it.
    """
    follow_parent()
    # Otherwise Hydra prints an exception in its own way and ends the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    import hydra

    owner, codes, typed = os.getpid(), [0], [sys.argv[0], "train", *given.typed]

    def task(config: Any) -> None:
        sys.argv = typed
        code = _job(config, given)
        codes.append(code)
        if code >= 128:
            raise SystemExit(code)  # interrupted: no further jobs
        if code and os.getpid() != owner:
            raise RuntimeError(f"a job ended with exit code {code}")  # in a launcher's worker: tell Hydra

    from forger.config.layers import own_folders
    from forger.lifecycle.composing import main_config

    own, origin = own_folders(given.options.get("config-dir", ())), given.options.get("from")
    partial = ["run.partial=true"] if "partial" in given.options else []
    typed_overrides = [*partial, *given.positionals]
    with main_config(typed_overrides, own, origin, trust="trust" in given.options) as (first, overrides):
        sys.argv = [sys.argv[0], *given.flags("config-dir", "from", "trust", "partial"), *overrides]
        try:
            hydra.main(config_path=str(first), config_name="train", version_base="1.3")(task)()
        except UnicodeDecodeError as error:
            file = _not_utf8([*own, first])
            raise ConfigError(f"{file}: {error.reason} at byte {error.start}; save it as UTF-8") from error
        finally:
            sys.argv = typed
            if "multirun" in given.options:
                root = [text.partition("=")[2] for text in overrides if text.startswith("run.root=")]
                hide_secrets(Path(root[-1] if root else "runs", "multirun"))
    return max(codes, key=_SEVERITY.index)


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


def _groups() -> str:
    known = {group: options for group, options in config_groups().items() if group not in ("sweep", "launcher")}
    groups = (f"  {group}: {', '.join(options)}" for group, options in known.items())
    return "\n".join(["Config groups and their options:", *groups])


def _job(config: Any, given: Arguments) -> int:
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
                return _fresh_process(job.overrides, given.flags("multirun", "partial"))
        from forger.config.placement import check_launcher

        check_launcher()
        from forger.lifecycle.composing import run_name
        from forger.run import train

        config.run.name = config.run.name or run_name(job.runtime.choices, job.overrides.task)
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


COMMAND = Command(
    name="train",
    arguments="[OVERRIDES...]",
    summary="one run; with -m, a sweep (Hydra's own syntax, all of it)",
    about="""\
  forger train                                  the default experiment
  forger train experiment=NAME seed=1           another one
  forger train data=mnist budget.images=1e6     any key of the config, any option of a group
  forger train -m seed=0,1,2 model=dcgan,gan    a sweep over the grid
  forger train --config-dir FOLDER …            your own configs in front of the shipped ones
  forger train --from RUN budget.images=50_000  a new run with RUN's config and weights
  forger train --from RUN --partial data=files data.root=PATH  on other data, with the weights that fit
  forger train --cfg job                        show the config, train nothing
  eval "$(forger -sc install=bash)"             completion in this shell

The same command is the same run: finished, it says so; interrupted, it continues;
run.restart=true starts over.
""",
    options=(
        CONFIG_DIR,
        Option(
            "--from RUN",
            "begin with the config and the weights of RUN, or of a checkpoint in it, or with the "
            "weights of a .safetensors file",
        ),
        Option("--partial", "take those of the weights that fit, and say which do not", goes_with="--from"),
        replace(TRUST, goes_with="--from"),
        Option("-m, --multirun", "one job for each combination of the values a,b,c"),
        Option("-c, --cfg WHAT", "show the config of the job, hydra or all", choices=("job", "hydra", "all")),
        Option("--resolve", "with --cfg: with every ${…} replaced by its value"),
        Option("-p, --package KEY", "with --cfg: only what lies below KEY"),
        Option("-i, --info [WHAT]", f"what Hydra knows: {', '.join(_INFO)} (default: all)", choices=_INFO),
        Option("-cn, --config-name NAME", "another config than train.yaml to begin with"),
        Option("-cp, --config-path FOLDER", "the folder that it lies in"),
        Option("-r, --run", "one job, as without -m"),
        Option("-sc, --shell-completion", "print what completes a command line in a shell"),
        Option("--hydra-help", "Hydra's own help"),
        Option("--version", "Hydra's version"),
    ),
    epilog=_groups,
    run=_run,
)
