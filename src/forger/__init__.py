"""forger: an experiment pipeline for generative adversarial networks and autoencoders."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> Any:
    # Whatever costs time is imported when it is asked for.
    if name == "__version__":
        from importlib.metadata import version

        return version("forger")
    raise AttributeError(f"module 'forger' has no attribute '{name}'")
