"""Which `_target_`s the config of a stranger's run may name."""

import inspect
import re
from importlib import import_module
from typing import Any

#: Packages whose own public classes may be built: those that models and scores are made of.
_CLASSES = ("augmentation", "games", "losses", "metrics", "networks")
#: Functions that may be called, one by one.
_FUNCTIONS = {
    f"forger.{module}.{name}"
    for module, names in {
        "data.downloads": "cifar10 fashion_mnist mnist",
        "data.emoji": "emoji",
        "data.files": "files",
        "data.folders": "celeba huggingface image_folder",
        "data.images": "digits stacked_digits",
        "data.pairs": "digits_averaged digits_inverted digits_rotated fashion_inverted fashion_outlines paired_folder "
        "patches_of_folder photos side_by_side unpaired_folders",
        "data.points": "gaussian_1d grid25 ring8",
        "games.schedules": "constant cosine exponential linear piecewise",
        "games.super_resolution": "two_stages",
        "losses.adversarial": "hinge least_squares minimax non_saturating relativistic wasserstein",
        "losses.constraints": "clip_weights",
        "losses.reconstruction": "bce l1 mse",
        "losses.variational": "elbo importance_weighted total_correlation",
    }.items()
    for name in names.split()
}
#: Imports whatever its arguments say.
_REFUSED = {"forger.metrics.features.extractors.ModuleExtractor"}

#: Extractors of scores that run no code but forger's own; any other name is imported, or a program to load.
EXTRACTORS = ("digits", "fashion", "inception", "dinov2", "random")

#: Where classes of other packages may be named, and of which base classes they must be.
_OTHERS = {
    "torch.nn.": ("torch.nn.Module",),
    "torch.optim.": ("torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler"),
    "torchmetrics.": ("torchmetrics.Metric",),
    "torchvision.transforms.": (),
}
#: Parameters that take a file or a folder.
_PLACE = re.compile(r"(\w+_)?(root|path|paths|folder|file|dir|weights|font)(_[a-z])?|test_[ab]|emoji_list")


def trusted_target(path: str) -> bool:
    """Whether a dotted name may be built from a record that somebody else wrote.

    Allowed are the classes that forger's models and scores are made of, its functions for data by name, losses and
    schedules, and classes of torch.nn, torch.optim, torchmetrics and torchvision.transforms. Loggers, callbacks and
    trackers are not: those are the reader's. What counts is the object that the name leads to: a module that a
    trusted one imported is no way around. Nothing is imported before its package is known to be on the list.
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


def is_place(name: str, value: Any) -> bool:
    """Whether an argument of this name and value is the path of a file or a folder."""
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) for text in texts) and _PLACE.fullmatch(name) is not None


def _is_own(path: str) -> bool:
    if path in _FUNCTIONS:
        return inspect.isfunction(_found(path))
    if path.split(".")[1] not in _CLASSES or path in _REFUSED:
        return False
    found = _found(path)
    # Defined where the name says, so that what a module imported (Path, torch, open) is out of reach.
    return inspect.isclass(found) and f"{found.__module__}.{found.__qualname__}" == path


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
