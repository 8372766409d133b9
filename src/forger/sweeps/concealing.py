"""Passes arguments with secrets to workers in the environment, so that process lists and files do not show them."""

import json
import os
from collections.abc import Sequence

from forger.errors import ConfigError
from forger.redaction import HIDDEN, redacted

_VARIABLE = "FORGER_SWEEP_ARGUMENTS"


def concealed(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments with secrets hidden, and the environment from which a worker gets the true ones."""
    shown = redacted(list(arguments))
    return shown, {} if shown == list(arguments) else {_VARIABLE: json.dumps(list(arguments))}


def revealed(arguments: Sequence[str]) -> list[str]:
    """The true arguments of a worker, which are removed from its environment.

    Raises:
        ConfigError: the environment does not have them.
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
