"""Arguments with secrets on their way to workers: the list of processes and files show them hidden."""

import json
import os
from collections.abc import Sequence

from forger.errors import ConfigError
from forger.redaction import HIDDEN, redacted

_VARIABLE = "FORGER_SWEEP_ARGUMENTS"


def concealed(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments as everybody may see them, and the environment that tells a worker the true ones."""
    shown = redacted(list(arguments))
    return shown, {} if shown == list(arguments) else {_VARIABLE: json.dumps(list(arguments))}


def revealed(arguments: Sequence[str]) -> list[str]:
    """The true arguments of a worker; its environment forgets them.

    Raises:
        ConfigError: they did not come along.
    """
    text = os.environ.pop(_VARIABLE, None)
    if text is not None and redacted(known := json.loads(text)) == list(arguments):
        return known
    for argument in arguments:
        if HIDDEN in argument:
            raise ConfigError(
                f"{argument}: the secret did not reach this machine; keep it in a file or the environment there "
                "(for PostgreSQL ~/.pgpass or PGPASSWORD)"
            )
    return list(arguments)
