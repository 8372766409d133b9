"""`forger report`: which page, where to."""

import os
from collections.abc import Sequence
from pathlib import Path

from forger.commands.declaring import Arguments, Command, Option
from forger.errors import ConfigError
from forger.files import write_atomically


def _run(given: Arguments) -> int:
    folders, options = given.positionals or ["runs"], given.options
    if "serve" in options and "wandb" in options:
        raise ConfigError("report: --serve or --wandb, not both")
    if "output" in options and {"serve", "wandb"} & {*options}:
        raise ConfigError("report --output: goes with neither --serve nor --wandb")
    if "serve" in options:
        return _serve(folders, options.get("port"))
    if "wandb" in options:
        from forger.report.workspace import save

        print(save(folders, project=options.get("project"), entity=options.get("entity")))
        return 0
    return _write(folders, Path(options.get("output", "report.html")))


def _write(folders: Sequence[str], path: Path) -> int:
    from forger.report.page import page

    if path.is_dir():
        raise ConfigError(f"report -o {path}: that is a folder; name a file in it, such as {path / 'report.html'}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"report -o {path}: {path.parent} is not a folder that can be written")
    html = page(folders)
    write_atomically(path, html)
    print(f"{path} ({len(html.encode()) / 1e6:.1f} MB)")
    return 0


def _serve(folders: Sequence[str], port: int | None) -> int:
    from forger.report.reading import read
    from forger.report.serving import Server

    read(folders)  # what is wrong with the folders is said now, not in the browser
    Server(folders, port or 0).until_interrupted()
    return 0


COMMAND = Command(
    name="report",
    arguments="[RUNS...]",
    summary="one self-contained HTML page that compares variants",
    about="""\
One HTML page that compares variants: who is better and how sure that is, curves, pictures, settings, and what
each run was. RUNS are folders of runs, or runs (default: runs). The file needs no network.
""",
    options=(
        Option("-o, --output FILE", "where to write it (default: report.html)"),
        Option("--serve", "show it on this machine instead, anew whenever a run writes something"),
        Option("--port N", "with --serve (default: a free one)", kind=int, least=1, most=65535, goes_with="--serve"),
        Option("--wandb", "save the comparison as a report of Weights & Biases instead (needs wandb-workspaces)"),
        Option("--project P", "with --wandb (default: the runs' own)", goes_with="--wandb"),
        Option("--entity E", "with --wandb (default: the runs' own)", goes_with="--wandb"),
    ),
    run=_run,
)
