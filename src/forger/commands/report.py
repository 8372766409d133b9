"""`forger report`: which page, where to."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from forger.commands.options import number
from forger.errors import ConfigError
from forger.files import write_atomically

_HIGHEST_PORT = 65535


def report(folders: Sequence[str], options: Mapping[str, str], *, serve: bool = False, wandb: bool = False) -> int:
    """Write the report on some folders of runs, serve it, or send it to W&B; say where it is.

    Args:
        folders: folders of runs, or runs; none is ``runs``.
        options: ``output``, ``port``, ``project``, ``entity`` as they were typed.
        serve: answer on the loopback interface until interrupted.
        wandb: save it as a report of Weights & Biases.

    Raises:
        ConfigError: a folder is not there, an option does not fit, the file can't be written.
    """
    folders = folders or ["runs"]
    if serve and wandb:
        raise ConfigError("report: --serve or --wandb, not both")
    for name, belongs in {"port": serve, "output": not serve and not wandb, "project": wandb, "entity": wandb}.items():
        if name in options and not belongs:
            raise ConfigError(f"report --{name}: goes with {_PARTNERS[name]}")
    if serve:
        return _serve(folders, options)
    if wandb:
        from forger.report.workspace import save

        print(save(folders, project=options.get("project"), entity=options.get("entity")))
        return 0
    return _write(folders, Path(options.get("output", "report.html")))


_PARTNERS = {"port": "--serve", "output": "neither --serve nor --wandb", "project": "--wandb", "entity": "--wandb"}


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


def _serve(folders: Sequence[str], options: Mapping[str, str]) -> int:
    from forger.report.reading import read
    from forger.report.serving import Server

    port = number(options, "port", int, 1) if "port" in options else 0
    if port > _HIGHEST_PORT:
        raise ConfigError(f"--port {port}: there are ports up to {_HIGHEST_PORT}")
    read(folders)  # what is wrong with the folders is said now, not in the browser
    try:
        server = Server(folders, port)
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror or error}; leave it out for a free one") from None
    with server:
        print(f"{server.address} (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)
    return 0
