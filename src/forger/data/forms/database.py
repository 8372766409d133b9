"""Pictures in an LMDB, as LSUN and its followers have them: a key, and the bytes of a picture's file."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from forger.data.collection import Collection
from forger.data.forms.found import Found, package

#: Keys under which writers note what is no picture.
_NOTES = {b"length", b"__len__", b"__keys__"}


class Database(Collection):
    """A key is one of the database."""

    keys: Sequence[bytes]

    def __init__(self, place: Path, keys: Sequence[bytes], environment: Any) -> None:
        super().__init__(place, keys)
        self.environment = environment

    def content(self, key: bytes) -> bytes:
        with self.environment.begin() as transaction:
            return transaction.get(key)

    def files(self) -> Sequence[Path]:
        return [Path("data.mdb")]


def database(place: Path) -> Found:
    """The pictures of a folder with a data.mdb, in the order of their keys.

    Raises:
        ValueError: it can't be read, or lmdb is not installed.
    """
    lmdb = package("lmdb", "lmdb", place)
    facts = (place / "data.mdb").stat()
    try:
        environment = _opened(place.resolve(), facts.st_ino, facts.st_size, facts.st_mtime_ns)
        with environment.begin() as transaction, transaction.cursor() as cursor:
            keys = [key for key in cursor.iternext(keys=True, values=False) if key not in _NOTES]
    except lmdb.Error as error:
        raise ValueError(f"{place}: can't be read as an LMDB ({' '.join(str(error).split())})") from error
    if not keys:
        raise ValueError(f"{place}: the LMDB is empty")
    return Found("LMDB", Database(place, keys, environment))


@lru_cache(maxsize=8)
def _opened(place: Path, *changed: int) -> Any:
    """The environment, which a process may open only once at a time."""
    return package("lmdb", "lmdb", place).open(str(place), readonly=True, lock=False, readahead=False)
