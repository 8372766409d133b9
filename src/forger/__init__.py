"""forger: an experiment pipeline for generative adversarial networks and autoencoders."""

from importlib.metadata import version

__version__ = version("forger")
