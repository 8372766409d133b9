"""Former names of what configs build: run folders and users' configs may hold them, and ids of runs rest on them."""

#: A module, or one thing in a module that still has others → its former name.
_FORMER = {
    "forger.games.variational.VariationalGame": "forger.games.autoencoder.VariationalGame",
    "forger.metrics.evaluations.known_density": "forger.metrics.points",
    "forger.metrics.evaluations.sample_quality": "forger.metrics.evaluation",
} | {
    f"forger.metrics.{folder}.{module}": f"forger.metrics.{module}"
    for folder, modules in {
        "evaluations": "autoencoding classes conditional enlargement factors translation",
        "features": "classifier dinov2 extractors inception perceptual untrained",
    }.items()
    for module in modules.split()
}
_PRESENT = {former: present for present, former in _FORMER.items()}


def present_name(target: str) -> str:
    """Where a `_target_` stands now."""
    return _renamed(target, _PRESENT)


def former_name(target: str) -> str:
    """Under which name a `_target_` goes into the identity of a run, whichever of its names a config has."""
    return _renamed(target, _FORMER)


def _renamed(target: str, names: dict[str, str]) -> str:
    module, _, name = target.rpartition(".")
    return names.get(target) or (f"{names[module]}.{name}" if module in names else target)
