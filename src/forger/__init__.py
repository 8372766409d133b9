"""forger: an experiment pipeline for generative adversarial networks and autoencoders.

    >>> import forger
    >>> run = forger.load("runs/digits_cgan/86aade1fe735")
    >>> images = run.sample(64, labels=[3], seed=1)

`load`, `runs` and `train` give a `Run`; failures are a `ForgerError`, or a `ConfigError` where what was given is wrong.
"""

# Importing forger takes no time: each name is imported when it is asked for. `__init__.pyi` declares them for tools.

#: The module that each public name is imported from.
_FROM = {
    "Run": "api.handle",
    "load": "api.handle",
    "runs": "api.handle",
    "train": "api.training",
    "evaluate": "api.evaluating",
    "ForgerError": "errors",
    "ConfigError": "errors",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value = version("forger")
    elif name in _FROM:
        from importlib import import_module

        value = getattr(import_module(f"forger.{_FROM[name]}"), name)
    else:
        raise AttributeError(f"module 'forger' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_FROM, "__version__"]
