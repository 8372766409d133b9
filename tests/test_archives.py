"""Exported programs and other archives of strangers: one way to read them, and no code in any."""

import hashlib
import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from forger.archives import whole_archive
from forger.callbacks.checkpoint_files import BadCheckpoint, VerifiedCheckpointIO
from forger.data.imagesets import image_set
from forger.errors import ConfigError
from forger.metrics.features.exported import load_exported


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A harmless exported network with a dynamic batch."""
    path = tmp_path_factory.mktemp("exported") / "generator.pt2"
    shape = ({0: torch.export.Dim("n", min=2)},)
    exported = torch.export.export(nn.Sequential(nn.Linear(4, 4)), (torch.zeros(3, 4),), dynamic_shapes=shape)
    torch.export.save(exported, path)
    return path


def rewritten(source: Path, target: Path, old: str, new: str, member: str = ".json") -> Path:
    """The archive with one text in its JSON files replaced."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        for name in read.namelist():
            content = read.read(name)
            if name.endswith(member):
                content = content.decode().replace(old, new).encode()
            write.writestr(name, content)
    return target


def test_exported_programs_are_read(program: Path) -> None:
    assert load_exported(program).module()(torch.zeros(5, 4)).shape == (5, 4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.ops.aten.linear.default", "torch.hub.load"),
        ("torch.ops.aten.linear.default", "torch.ops.evil.run.default"),
        ("torch.ops.aten.linear.default", "_operator.os.system"),
        ("positive=True, integer=True)", "positive=True).__class__"),
        ("Symbol(", "exec("),
        ("Symbol(", "__import__("),
    ],
)
def test_programs_that_could_run_code_are_refused(program: Path, tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConfigError, match="could run code"):
        load_exported(rewritten(program, tmp_path / "evil.pt2", old, new))


def test_pickles_in_programs_are_refused(program: Path, here: Path) -> None:
    pickle = io.BytesIO()
    torch.save(Code(), pickle)
    with zipfile.ZipFile(program) as read, zipfile.ZipFile("evil.pt2", "w") as write:
        for name in read.namelist():
            write.writestr(name, pickle.getvalue() if "sample_inputs" in name else read.read(name))
    before = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    with pytest.raises(ConfigError, match="can't be read as an exported program"):
        load_exported(Path("evil.pt2"))
    assert not Path("ran").exists()
    assert os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == before


def evil(content: bytes) -> bytes:
    """The program's JSON with an expression that torch would evaluate."""
    return content.decode().replace("Symbol('s", "__import__('os').system('touch ran') or Symbol('s").encode()


def archive_of(entries: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def entries_of(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def twice(content: bytes) -> bytes:
    entries = entries_of(content)
    hidden = [(name, evil(text)) for name, text in entries if name.endswith("models/model.json")]
    return archive_of([*hidden, *hidden, *entries])


def in_other_case(content: bytes) -> bytes:
    entries = entries_of(content)
    hidden = [(n.replace("model.json", "Model.JSON"), evil(text)) for n, text in entries if "models/" in n]
    return archive_of([*hidden, *hidden, *entries])


def with_backslash(content: bytes) -> bytes:
    entries = entries_of(content)
    hidden = [(n.replace("/model.json", "\\model.json"), evil(text)) for n, text in entries if "models/" in n]
    return archive_of([*hidden, *hidden, *entries])


def before_the_archive(content: bytes) -> bytes:
    return archive_of([(n, evil(text) if "models/" in n else text) for n, text in entries_of(content)]) + content


def after_the_archive(content: bytes) -> bytes:
    return content + archive_of([("other", b"")])[:30]


def in_the_headers(content: bytes) -> bytes:
    """Entries that go by one name in their header and by another in the list."""
    start = content.index(b"models/model.json")
    return content[:start] + b"models/other.json" + content[start + len(b"models/other.json") :]


def between_the_entries(content: bytes) -> bytes:
    """An entry that the list leaves out, where readers that go from header to header find it."""
    hidden, rest = archive_of([("hidden", b"x")]), entries_of(content)
    whole = archive_of([("hidden", b"x"), *rest])
    listed = whole.index(b"PK\1\2")
    size = 46 + len("hidden")
    end = bytearray(whole[listed + size :])
    for place, change in ((-14, 1), (-12, 1), (-10, size)):
        width = 4 if place == -10 else 2
        value = int.from_bytes(end[place : place + width], "little") - change
        end[place : place + width] = value.to_bytes(width, "little")
    assert hidden[:4] == whole[:4]
    return whole[:listed] + bytes(end)


@pytest.mark.parametrize(
    "altered",
    [twice, in_other_case, with_backslash, before_the_archive, after_the_archive, in_the_headers, between_the_entries],
)
def test_what_could_be_read_in_two_ways_is_refused(
    altered: Callable[[bytes], bytes], program: Path, here: Path
) -> None:
    content = altered(program.read_bytes())
    with pytest.raises(ValueError, match=r"archive|readers|header|name"):
        whole_archive(content)
    Path("evil.pt2").write_bytes(content)
    with pytest.raises(ConfigError, match="no exported program"):
        load_exported(Path("evil.pt2"))
    assert not Path("ran").exists()


def test_what_torch_and_numpy_write_can_be_read_in_one_way(program: Path) -> None:
    tensors, arrays, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.ones(3)}, tensors)
    np.savez(arrays, samples=np.zeros(3), labels=np.ones(2))
    np.savez_compressed(packed, samples=np.zeros(3))
    for content in (program.read_bytes(), tensors.getvalue(), arrays.getvalue(), packed.getvalue()):
        assert whole_archive(content).namelist()


@pytest.mark.parametrize(
    ("member", "old", "new"),
    [
        (
            "constants_config.json",
            "{}",
            '{"c": {"path_name": "opaque_obj_0", "is_param": false, "use_pickle": true, "tensor_meta": null}}',
        ),
        (
            "model.json",
            r"\"context\": \"[]\"",
            r"\"context\": \"[{\\\"__enum__\\\": 1, \\\"fqn\\\": \\\"evil:A\\\"}]\"",
        ),
    ],
    ids=["a pickled constant", "a structure with a class"],
)
def test_what_torch_itself_would_unpickle_or_import_is_refused(
    member: str, old: str, new: str, program: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(here)
    Path("evil.py").write_text("open('ran', 'w').close()")
    entries = entries_of(rewritten(program, here / "evil.pt2", old, new, member).read_bytes())
    assert any(new.encode() in text for _, text in entries)
    Path("evil.pt2").write_bytes(
        archive_of([*entries, ("generator/data/constants/opaque_obj_0", pickle.dumps(Code()))])
    )
    with pytest.raises(ConfigError, match="could run code"):
        load_exported(Path("evil.pt2"))
    assert not Path("ran").exists()


def test_checkpoints_and_arrays_are_looked_at_too(here: Path) -> None:
    io_ = VerifiedCheckpointIO()
    io_.save_checkpoint({"state_dict": {}, "clock": {}}, "good.ckpt")
    assert io_.load_checkpoint("good.ckpt") == {"state_dict": {}, "clock": {}}
    body = Path("good.ckpt").read_bytes().rpartition(b"\nforger-sha256:")[0]
    for altered in (b"junk" + body, archive_of([*entries_of(body), entries_of(body)[0]])):
        digest = hashlib.sha256(altered).hexdigest().encode()
        Path("evil.ckpt").write_bytes(altered + b"\nforger-sha256:" + digest)
        with pytest.raises(BadCheckpoint, match=r"evil\.ckpt: not loaded"):
            io_.load_checkpoint("evil.ckpt")
    np.savez("good.npz", samples=np.full((2, 4, 4, 1), 7, np.uint8))
    assert len(image_set(Path("good.npz"))) == 2
    entries = entries_of(Path("good.npz").read_bytes())
    Path("evil.npz").write_bytes(archive_of([*entries, *entries]))
    with pytest.raises(
        ConfigError, match=r"evil\.npz: can't be read as \.npz \('samples\.npy' is in the archive twice"
    ):
        image_set(Path("evil.npz"))
