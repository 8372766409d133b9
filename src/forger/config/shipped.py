"""The shipped configs: where they lie, and the groups and options among them."""

from pathlib import Path


def conf_folder() -> Path:
    """The folder of shipped configs: the repository's in a checkout, else the one in the package."""
    package = Path(__file__).resolve().parents[1]
    repository = package.parent.parent / "conf"
    # An editable install may have left a copy in the package, which must not win.
    if package.parent.name == "src" and repository.is_dir():
        return repository
    return package / "conf"


def config_groups() -> dict[str, list[str]]:
    """The shipped config groups and their options."""
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in sorted(conf_folder().iterdir())
        if folder.is_dir()
    }
