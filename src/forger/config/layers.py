"""Folders of configs, one in front of the other: a user's own before the shipped one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, ListConfig

from forger.config import resolvers as resolvers
from forger.errors import ConfigError

SCHEME = "layers"
#: Between two folders in an entry of the search path; no resolved path holds it.
_NEXT = "//"
#: Between a config's name and the number of the first folder to look in; no part of a file's name by mistake.
_BELOW = "~"


class Layers(ConfigSource):
    """A file in an earlier folder wins; one that names itself in its defaults builds on the next one of its name."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self._folders = [FileConfigSource(provider, folder) for folder in folders_of(SCHEME, self.path)]

    @staticmethod
    def scheme() -> str:
        return SCHEME

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return any(folder.is_group(config_path) for folder in self._folders)

    def is_config(self, config_path: str) -> bool:
        return self._found(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        groups = [folder for folder in self._folders if folder.is_group(config_path)]
        return sorted({name for folder in groups for name in folder.list(config_path, results_filter)})

    def load_config(self, config_path: str) -> ConfigResult:
        found = self._found(config_path)
        if found is None:
            raise ConfigLoadError(f"Config not found : {config_path}")
        name, number = found
        result = self._folders[number].load_config(name)
        if _look_below(result.config, name, number + 1) and self._found(f"{name}{_BELOW}{number + 1}") is None:
            file = f"{self._folders[number].path}/{name}.yaml"
            raise ConfigError(f"{file}: builds on a config of its own name, and no folder behind it has one")
        return result

    def _found(self, config_path: str) -> tuple[str, int] | None:
        """The config's name and the number of its folder."""
        name, _, first = config_path.removesuffix(".yaml").partition(_BELOW)
        numbers = range(int(first or 0), len(self._folders))
        return next(((name, number) for number in numbers if self._folders[number].is_config(name)), None)


def _look_below(config: object, name: str, number: int) -> bool:
    """Have a config that names itself among its defaults mean the one in the folders from ``number`` on.

    Returns whether it does name itself.
    """
    defaults = config.get("defaults") if isinstance(config, DictConfig) else None
    if not isinstance(defaults, ListConfig):
        return False
    itself = (name.rpartition("/")[2], f"/{name}")
    parts = [(place, *str(entry).partition("@")) for place, entry in enumerate(defaults)]
    for place, named, at, package in parts:
        if named in itself:
            defaults[place] = f"{named}{_BELOW}{number}{at}{package}"
    return any(named in itself for _, named, *_ in parts)


class _InFront(SearchPathPlugin):
    """Puts the user's folders before the main one."""

    own: tuple[Path, ...] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in search_path.get_path():
            if element.provider == "main" and self.own:
                element.path = path_of([*self.own, Path(str(element.path).removeprefix("file://"))])


@contextmanager
def in_front(folders: Sequence[Path]) -> Iterator[None]:
    """While the block composes, Hydra looks into these folders before its main one."""
    former, _InFront.own = _InFront.own, tuple(folders)
    try:
        yield
    finally:
        _InFront.own = former


def own_folders(names: Sequence[str]) -> list[Path]:
    """The folders that ``--config-dir`` gave.

    Raises:
        ConfigError: one is not there.
    """
    for name in names:
        if not Path(name).is_dir():
            raise ConfigError(f"--config-dir {name}: no such folder")
    return [Path(name).resolve() for name in names]


def path_of(folders: Sequence[Path]) -> str:
    """The folders as one entry of Hydra's search path."""
    return f"{SCHEME}://{_NEXT.join(map(str, folders))}"


def folders_of(scheme: str, path: str) -> list[str]:
    """The folders of an entry of Hydra's search path; none for a package."""
    return path.split(_NEXT) if scheme in ("file", SCHEME) else []


Plugins.instance().register(Layers)
Plugins.instance().register(_InFront)
