"""What W&B's offline files hold, which its client tells only while it syncs them."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

#: The file is a log as LevelDB writes it, after a header of its own.
_HEADER, _BLOCK, _PREFIX = 7, 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def held(folder: Path, run_id: str) -> int:
    """The first step that no offline session of a run holds; 0 where there is none.

    Args:
        folder: W&B's, with a folder for each session.
        run_id: as W&B has it.
    """
    record_type = import_module("wandb.proto.wandb_internal_pb2").Record
    first = 0
    for file in folder.glob(f"offline-run-*-{run_id}*/run-{run_id}.wandb"):
        for content in records(file.read_bytes()):
            record = record_type.FromString(content)
            if record.HasField("history"):
                first = max(first, record.history.step.num + 1)
    return first


def records(content: bytes) -> Iterator[bytes]:
    """The records of a file, up to one that was never written to its end."""
    place, parts = _HEADER, []
    while True:
        left = _BLOCK - place % _BLOCK
        if left < _PREFIX:
            place += left
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6 : place + 7]
        part = content[place + _PREFIX : place + _PREFIX + size]
        if not kind or kind[0] not in (_FULL, _FIRST, _MIDDLE, _LAST) or len(part) < size:
            return
        place += _PREFIX + size
        parts = [part] if kind[0] in (_FULL, _FIRST) else [*parts, part]
        if kind[0] in (_FULL, _LAST):
            yield b"".join(parts)
