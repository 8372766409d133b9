"""Which `_target_`s the config of a stranger's run may name."""

import inspect
from importlib import import_module
from typing import Any

#: Packages whose own public classes may be built; `forger.records` and the like are not among them.
_CLASSES = ("augmentation", "callbacks", "data", "games", "losses", "metrics", "networks", "watch")
#: Packages whose own public functions may be called as well; of `forger.data`, those that return `Data`.
_FUNCTIONS = ("data", "games", "losses", "tracking")
#: Imports whatever its arguments say.
_REFUSED = {"forger.metrics.extractors.ModuleExtractor"}

#: Extractors of scores that run no code but forger's own; any other name is imported, or a program to load.
EXTRACTORS = ("digits", "inception", "dinov2")

#: Where classes of other packages may be named, and of which base classes they must be.
_OTHERS = {
    "torch.nn.": ("torch.nn.Module",),
    "torch.optim.": ("torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
    "torchmetrics.": ("torchmetrics.Metric",),
    "torchvision.transforms.": (),
    "pytorch_lightning.": (
        "pytorch_lightning.Trainer",
        "pytorch_lightning.Callback",
        "pytorch_lightning.strategies.Strategy",
        "pytorch_lightning.loggers.Logger",
    ),
}


def trusted_target(path: str) -> bool:
    """Whether a dotted name may be built from a record that somebody else wrote.

    Allowed are forger's own public classes and functions, and classes of torch.nn, torch.optim, torchmetrics,
    torchvision.transforms and Lightning (Trainer, strategies, callbacks, loggers). What counts is the object
    that the name leads to: a module that a trusted one imported is no way around. Nothing is imported before
    its package is known to be on the list.
    """
    if any(not part.isidentifier() or part.startswith("_") for part in path.split(".")):
        return False
    if path.startswith("forger."):
        return _is_own(path)
    prefix = next((prefix for prefix in _OTHERS if path.startswith(prefix)), None)
    if prefix is None:
        return False
    found = _found(path)
    if not inspect.isclass(found) or not f"{found.__module__}.".startswith(prefix):
        return False
    bases = tuple(_found(base) for base in _OTHERS[prefix])
    return issubclass(found, bases) if bases else True


def _is_own(path: str) -> bool:
    part = path.split(".")[1]
    if part not in {*_CLASSES, *_FUNCTIONS} or path in _REFUSED:
        return False
    found = _found(path)
    # Defined where the name says, so that what a module imported (Path, torch, open) is out of reach.
    name = getattr(found, "__qualname__", "")
    if "." in name or f"{getattr(found, '__module__', '')}.{name}" != path:
        return False
    if inspect.isclass(found):
        return part in _CLASSES
    if not inspect.isfunction(found) or part not in _FUNCTIONS:
        return False
    return part != "data" or found.__annotations__.get("return") in (
        "Data",
        _found("forger.data.dataset.Data"),
    )


def _found(path: str) -> Any:
    """The object of a dotted name below a listed package, or None."""
    parts = path.split(".")
    found: Any = import_module(parts[0])
    for index, part in enumerate(parts[1:], 2):
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = import_module(".".join(parts[:index]))
            except ImportError:
                return None
    return found
