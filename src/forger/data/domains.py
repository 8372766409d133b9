"""Two domains for translation in the subfolders of one folder: CycleGAN's trainA and trainB, or A and B."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from forger.data.pairs import parts_of_domain
from forger.data.splits.splitting import SPLIT_NAMES, partition
from forger.data.translations import halves


@dataclass(frozen=True)
class Domains:
    """A folder as a source of `forger.data.pairs` reads it.

    Args:
        source: the name of its config.
        root: the folder.
        folders: names of the subfolders of domain A and of domain B.
        tests: the same of the pictures to test with; none where they are drawn.
    """

    source: Literal["unpaired_folders", "paired_folder"]
    root: Path
    folders: tuple[str, str]
    tests: tuple[str, str] | None = None

    @property
    def certain(self) -> bool:
        """Whether the subfolders can't be classes; A and B might."""
        return tuple(name.lower() for name in self.folders) == ("traina", "trainb")

    def split_of(self, name: str) -> str | None:
        """Of which split a picture is by its path below the folder: train, test or, elsewhere, None."""
        top = name.partition("/")[0]
        return "train" if top in self.folders else "test" if top in (self.tests or ()) else None

    def folders_of(self, domain: int) -> list[str]:
        """The subfolders of domain 0, A, or 1, B; that of the tests last."""
        return [self.folders[domain], *([self.tests[domain]] if self.tests else [])]

    def splits(self) -> list[dict[str, int]]:
        """How many pictures of A, and of B, train, validate and test.

        Raises:
            ValueError: too few.
        """
        if self.source == "paired_folder":
            parts = partition(self.root / self.folders[0])
            train = halves(len(parts["train"]))
            return [{name: len(parts[name]) for name in SPLIT_NAMES} | {"train": len(half)} for half in train]
        every = [parts_of_domain(*(self.root / name for name in self.folders_of(domain))) for domain in (0, 1)]
        return [{name: sum(len(paths) for _, paths in parts[name]) for name in SPLIT_NAMES} for parts in every]


def domains(root: Path, names: Iterable[str]) -> Domains | None:
    """The two domains that a folder has, if the names of its subfolders say so.

    trainA and trainB are two domains, tested with testA and testB where both are there. So are A and B, if nothing else
    is there; with the same names of files in both they are pairs.

    Args:
        root: the folder.
        names: paths of its pictures below it.
    """
    files: dict[str, list[str]] = {}
    for name in names:
        folder, _, file = name.partition("/")
        files.setdefault(folder, []).append(file)
    known = {folder.lower(): folder for folder in files}
    if {"traina", "trainb"} <= known.keys():
        tests = (known["testa"], known["testb"]) if {"testa", "testb"} <= known.keys() else None
        return Domains("unpaired_folders", root, (known["traina"], known["trainb"]), tests)
    if known.keys() != {"a", "b"}:
        return None
    folders = known["a"], known["b"]
    paired = folders == ("A", "B") and sorted(files["A"]) == sorted(files["B"])
    return Domains("paired_folder" if paired else "unpaired_folders", root, folders)
