"""Whether Weights & Biases can be used from here, found out without its client, a prompt or a long wait."""

import configparser
import logging
import netrc
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from forger.errors import ConfigError, closest

Mode = Literal["auto", "online", "offline", "disabled"]

logger = logging.getLogger(__name__)

#: What W&B's client takes from its environment.
_MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")
#: Those of them for which somebody must be logged in.
_ONLINE = ("online", "shared", "run")
#: The public service under its names; a login under either counts.
_PUBLIC = ("https://api.wandb.ai", "https://api.forge.coreweave.com")


def server() -> str:
    """URL of the W&B server that the client would use."""
    return os.environ.get("WANDB_BASE_URL") or _setting("base_url") or _PUBLIC[0]


def login() -> str | None:
    """Where the credentials for the server come from (never what they are); None if nobody is logged in."""
    for variable in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        if os.environ.get(variable):
            return variable
    hosts = {urlsplit(url).netloc for url in (_PUBLIC if server() in _PUBLIC else (server(),))}
    for path in _netrc_files():
        try:
            known = netrc.netrc(str(path)).hosts
        except (OSError, netrc.NetrcParseError):
            continue
        if hosts & known.keys():
            return str(path)
    return "W&B's settings file" if _setting("api_key") else None


def answers(url: str, seconds: float = 5.0) -> bool:
    """Whether an HTTP server answers at the URL, whatever it says; never takes much longer than asked."""
    heard = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=seconds).close()
        except urllib.error.HTTPError as error:
            error.close()  # an answer all the same
        except (OSError, ValueError):
            return
        heard.set()

    # In a thread, since looking up a name has no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return heard.is_set()


def chosen_mode(mode: Mode) -> Mode | None:
    """The mode to ask the client for; None leaves it to ``WANDB_MODE``, which is never overridden.

    ``auto`` is online where somebody is logged in and the server answers, else offline, with one line.

    Raises:
        ConfigError: online was asked for, here or by ``WANDB_MODE``, and nobody is logged in; the client would ask.
    """
    if chosen := os.environ.get("WANDB_MODE"):
        if chosen not in _MODES:
            raise ConfigError(f"WANDB_MODE={chosen} in the environment: no such mode; {closest(chosen, _MODES)}")
        if chosen in _ONLINE and login() is None:
            raise ConfigError(_nobody(f"WANDB_MODE={chosen} in the environment", "unset it"))
        return None
    if mode == "online" and login() is None:
        raise ConfigError(_nobody("logger.wandb.mode=online", "take mode=auto"))
    if mode != "auto":
        return mode
    if login() is None:
        logger.info("W&B: offline, nobody is logged in (`wandb login` changes that; `wandb sync` sends the run)")
        return "offline"
    if not answers(server()):
        logger.warning("W&B: offline, %s does not answer; `wandb sync` sends the run later", server())
        return "offline"
    return "online"


def forget_empty_variables() -> None:
    """Drop W&B's variables that are set to nothing: its client takes them for values, and fails."""
    for name in [name for name, value in os.environ.items() if name.startswith("WANDB_") and not value]:
        del os.environ[name]


def _nobody(asked: str, instead: str) -> str:
    return f"{asked}: nobody is logged in to W&B here; run `wandb login`, set WANDB_API_KEY, or {instead}"


def _netrc_files() -> list[Path]:
    if os.environ.get("NETRC"):
        return [Path(os.environ["NETRC"]).expanduser()]
    return [Path("~/.netrc").expanduser(), Path("~/_netrc").expanduser()]


def _setting(name: str) -> str | None:
    """A setting of W&B's own files: the user's, then the working directory's, which wins."""
    own = os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read([Path(own).expanduser() / "settings", Path("wandb/settings")])
        return parser.get("default", name, fallback=None)
    except (configparser.Error, UnicodeDecodeError):
        return None
