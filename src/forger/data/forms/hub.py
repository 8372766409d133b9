"""Pictures of a Hugging Face data set as the package `datasets` has them: of the hub, or saved in a folder."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from forger.data.collection import Collection, in_threads
from forger.data.pixels.planes import Planes, open_picture
from forger.data.splits.splitting import content_hash, kept_hashes


class Rows(Collection):
    """Pictures in a column of several tables, which `datasets` maps from its files; a key is a split and a row."""

    keys: Sequence[tuple[str, int]]

    def __init__(self, path: str, tables: Mapping[str, Any], column: str) -> None:
        super().__init__(Path(path), [(split, row) for split, table in tables.items() for row in range(len(table))])
        self.column = column
        self.tables = {split: table.select_columns([column]) for split, table in tables.items()}

    def name(self, key: tuple[str, int]) -> str:
        return f"{self.place}, {key[0]}, row {key[1]}"

    def opened(self, key: tuple[str, int]) -> Image.Image | Planes:
        value = self.tables[key[0]][key[1]][self.column]
        if isinstance(value, Mapping):
            value = value.get("bytes")
        if isinstance(value, bytes):  # a column that nobody declared to be of pictures
            return open_picture(io.BytesIO(value))
        if not isinstance(value, Image.Image):
            raise TypeError(f"{self.column} is a {type(value).__name__}, not a picture")
        return value

    def content(self, key: tuple[str, int]) -> bytes:
        picture = self.opened(key)
        if isinstance(picture, Planes):
            return repr(picture.pixels.shape).encode() + picture.pixels.tobytes()
        return repr((picture.mode, picture.size)).encode() + picture.tobytes()

    def files(self) -> Sequence[Path]:
        return [Path(file["filename"]) for table in self.tables.values() for file in table.cache_files]

    def _add_keys(self, digest: Any) -> None:
        super()._add_keys(digest)
        if not self.files():  # held in memory: known by the pictures
            for key in self.keys:
                digest.update(self.content(key))


def opened_tables(path: str, config: str | None) -> dict[str, Any]:
    """The tables of a data set by the names of their splits; downloaded, or from the cache of `datasets`.

    Raises:
        ValueError: `datasets` is not installed.
        FileNotFoundError: the set is neither here nor to be downloaded.
    """
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise ValueError("data=huggingface needs the package datasets: pip install 'forger[huggingface]'") from None

    try:
        if any((Path(path) / name).exists() for name in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(path)
        else:
            found = datasets.load_dataset(path, config)
    except Exception as error:  # the hub's client, its cache and fsspec each have their own
        why = " ".join(str(error).split())
        raise FileNotFoundError(
            f"no Hugging Face data set {path} ({why}): name one on the hub, or a folder of save_to_disk"
        ) from error
    return dict(found) if isinstance(found, dict) else {"train": found}


def stored_hashes(pictures: Collection) -> list[int]:
    """`content_hash` of the pixels of each as they are stored, mode and size included; kept on disk.

    Raises:
        ValueError: a picture, named, can't be read.
    """

    def one(key: Any) -> int:
        try:
            return content_hash(pictures.content(key))
        except Exception as error:  # as in `decoding.read`: a damaged picture fails in many ways
            raise ValueError(f"{pictures.name(key)}: {' '.join(str(error).split())}") from error

    def make() -> list[int]:
        return list(in_threads(one, pictures.keys))

    return kept_hashes(pictures.known_by("stored"), len(pictures), make)
