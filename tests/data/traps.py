"""What is broken or a trap in each form that `data=files` reads, and the line that names it."""

import os
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from data.forms import (
    database,
    folder,
    json_lines,
    named,
    npy,
    npz,
    parquet,
    parquet_of_paths,
    pixels,
    png,
    saved_set,
    tarred,
    zipped,
)


def broken(place, at=None):
    """The file cut at two thirds, or with other bytes at a place."""
    content = bytearray(place.read_bytes())
    if at is not None:
        content[at : at + 64] = b"\xff" * 64
    place.write_bytes(content if at is not None else content[: len(content) * 2 // 3])
    return place


def broken_picture(form):
    """The archive whole, one picture in it cut."""
    return lambda root: form(root, named() | {"b/030.png": named()["b/030.png"][:50]})


def written(name, content):
    def make(root):
        (root / name).write_bytes(content)
        return root / name

    return make


def pickled(root):
    np.savez(root / "x.npz", images=np.array([{"a": 1}] * 3, object))
    return root / "x.npz"


def floats(root):
    np.save(root / "x.npy", np.arange(320, dtype=np.float32).reshape(5, 8, 8))
    return root / "x.npy"


def a_bomb_of_a_picture(root):
    """A PNG of 40,000 × 40,000 that is a few hundred bytes long."""
    content = bytearray(png(np.zeros((8, 8), np.uint8)))
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    crc = zlib.crc32(content[12:29])
    content[29:33] = crc.to_bytes(4, "big")
    return zipped(root, named() | {"b/030.png": bytes(content)})


def a_bomb_of_an_archive(root):
    """A member that says it would be 3 GiB."""
    place = zipped(root, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(place.read_bytes())
    at = content.index(b"PK\1\2")
    content[at + 24 : at + 28] = (3 << 30).to_bytes(4, "little")
    place.write_bytes(content)
    return place


def a_bomb_of_an_array(root):
    """An array whose header says 10 TiB."""
    about = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10 << 34}, 8, 8), }}"
    header = b"\x93NUMPY\1\0v\0" + about.ljust(117).encode() + b"\n"
    return zipped(root, {"images.npy": header}, "x.npz")


def twice(root):
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        archive.writestr("a.png", png(pixels()[0]))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png(pixels()[1]))
    return root / "x.zip"


def table_of(*rows):
    def make(root):
        (folder(root) / "x.csv").write_text("\n".join(["file,label", *rows]))
        return root / "x" / "x.csv"

    return make


def broken_parquet_row(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    contents = [{"bytes": content, "path": None} for content in named().values()]
    contents[30] = {"bytes": None, "path": None}
    parquet.write_table(pyarrow.table({"image": contents}), root / "x.parquet")
    return root / "x.parquet"


def broken_arrow(root):
    broken(saved_set(root) / "train" / "data-00001-of-00002.arrow")
    return root / "x"


def cut(form):
    return lambda root: broken(form(root))


def labels_of(content):
    return lambda root: zipped(root, named() | {"dataset.json": content})


def tar_of(**facts):
    return lambda root: tarred(root, **facts)


def broken_state(root):
    broken(saved_set(root) / "train" / "state.json")
    return root / "x"


def leaving(path):
    return lambda root: parquet_of_paths(root, path)


def broken_json_lines(root):
    with (json_lines(root) / "metadata.jsonl").open("a") as file:
        file.write('{"file')
    return root / "x"


def split_of_elsewhere(root):
    (saved_set(root) / "dataset_dict.json").write_text('{"splits": ["train", "../y"]}')
    return root / "x"


def broken_database(root):
    broken(database(root) / "data.mdb", 0)
    return root / "x"


def parquet_of_damaged_labels(root):
    """The column of labels is cut out, that of pictures whole."""
    place = parquet(root)
    from pyarrow import parquet as reader

    labels = reader.ParquetFile(place).metadata.row_group(3).column(0)
    return broken(place, labels.dictionary_page_offset or labels.data_page_offset)


def parquet_of_a_path_that_is_not_utf_8(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    paths = pyarrow.array([b"\xff.png"] * 3).view(pyarrow.string())
    column = pyarrow.StructArray.from_arrays([pyarrow.array([None] * 3, pyarrow.binary()), paths], ["bytes", "path"])
    parquet.write_table(pyarrow.table({"image": column}), root / "x.parquet")
    return root / "x.parquet"


def zip_of_a_name_that_is_not_utf_8(root):
    """The name says that it is UTF-8."""
    place = zipped(root, named() | {"b/\u00e4.png": named()["b/030.png"]})
    place.write_bytes(place.read_bytes().replace("\u00e4".encode(), b"\xff\xfe"))
    return place


def link_to_itself(root):
    folder(root)
    (root / "x" / "a" / "000.png").unlink()
    (root / "x" / "a" / "000.png").symlink_to("000.png")
    return root / "x"


def folder_of_a_name_that_is_not_utf_8(root):
    folder(root)
    (root / "x" / os.fsdecode(b"\xff.png")).write_bytes(named()["b/030.png"])
    return root / "x"


def folder_of_a_bomb(root):
    """A picture of 40,000 × 40,000 that is a hundred bytes long."""
    folder(root)
    (root / "x" / "a" / "000.png").write_bytes(b"P6 40000 40000 255\n" + bytes(100))
    return root / "x"


def pickled_npy(root):
    np.save(root / "x.npy", np.array([{"a": 1}] * 3, object))
    return root / "x.npy"


def deep(name):
    """JSON of lists in each other, deeper than the reader can go."""

    def make(root):
        (folder(root) / name).write_text("[" * 200_000)
        return root / "x"

    return make


#: What makes each, and the line that names it.
BROKEN = {
    "zip": (cut(zipped), "x.zip: can't be read as a zip"),
    "picture in a zip": (broken_picture(zipped), r"x.zip: b/030.png: can't be read"),
    "member of a zip": (lambda root: broken(zipped(root), 60), r"x.zip: a/000.png: can't be read"),
    "tar": (cut(tarred), "x.tar: can't be read as a tar"),
    "header in a tar": (lambda root: broken(tarred(root), 30720), "can't be read as a tar .damaged at byte 30720"),
    "picture in a tar": (broken_picture(tarred), r"x.tar: b/030.png: can't be read"),
    "npy": (cut(npy), "x.npy: can't be read as .npy"),
    "npz": (cut(npz), "x.npz: can't be read as .npz"),
    "Parquet": (cut(parquet), "x.parquet: can't be read"),
    "Parquet row": (broken_parquet_row, "x.parquet, row 30: can't be read .image is empty"),
    "saved set": (broken_arrow, "data-00001-of-00002.arrow: can't be read"),
    "a saved set's note": (broken_state, "x: can't be read as a saved data set"),
    "LMDB": (broken_database, "x: can't be read as an LMDB"),
    "row of a table": (table_of("a/000.png,1", "a/gone.png,2"), r"x.csv, line 3: file=a/gone.png is missing"),
    "short row": (table_of("a/000.png,1", "a/001.png"), "x.csv: can't be read as a table .line 3 has not as many"),
    "path that leaves a table": (
        table_of("a/000.png,1", "../a.png,2"),
        "line 3: file: the path '../a.png' leads",
    ),
    "absolute path": (table_of("/etc/a.png,1"), "x.csv, line 2: file: the path '/etc/a.png' leads out of"),
    "path that leaves Parquet": (leaving("../{}"), "x.parquet, row 0: image: the path '../a/000.png' leads out of"),
    "absolute path in Parquet": (leaving("/etc/{}"), "x.parquet, row 0: image: the path '/etc/a/000.png' leads out of"),
    "path that leaves a saved set": (split_of_elsewhere, "x: can't be read as .*: the path '../y' leads out of"),
    "JSON lines": (broken_json_lines, "metadata.jsonl: can't be read as a table"),
    "labels that are no JSON": (labels_of(b"{"), "x.zip: dataset.json can't be read"),
    "labels that lack one": (labels_of(b'{"labels": [["a/000.png", 1]]}'), "dataset.json has no label of a/001.png"),
    "nothing": (lambda root: root / "x.zip", "there is no .*x.zip"),
    "no pictures": (lambda root: zipped(root, {"a.txt": b"x"}), "no pictures in .*x.zip"),
    "unknown form": (written("x.rar", b"Rar!"), r"x.rar: neither a folder of pictures nor one of .zip"),
    "pickled": (pickled, "images holds Python objects, which are never unpickled"),
    "floats": (floats, r"x.npy: array\[\d\]: more than 8 bits a channel \(float32\)"),
    "compressed tar": (tar_of(mode="w:gz", name="x.tar.gz"), "compressed tar .* gunzip it"),
    "link in a tar": (tar_of(type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link to '/etc/passwd'"),
    "path that leaves a zip": (lambda root: zipped(root, {"../a.png": b""}), r"x.zip: .*the path '../a.png' leads out"),
    "path that leaves a tar": (tar_of(members={"/a.png": b""}), r"x.tar: .*the path '/a.png' leads out"),
    "no UTF-8": (tar_of(members={os.fsdecode(b"\xff.png"): b""}), r"the name b'.xff.png' is not UTF-8"),
    "no UTF-8 in a zip": (zip_of_a_name_that_is_not_utf_8, r"x.zip: the name b'b/.xff.xfe.png' is not UTF-8"),
    "no UTF-8 in a folder": (folder_of_a_name_that_is_not_utf_8, r"x: the name b'.xff.png' is not UTF-8: rename it"),
    "no UTF-8 in Parquet": (parquet_of_a_path_that_is_not_utf_8, r"x.parquet: can't be read .*codec can't decode"),
    "labels in Parquet": (parquet_of_damaged_labels, r"x.parquet: can't be read"),
    "link to itself": (link_to_itself, r"x/a/000.png: can't be read .*Too many levels of symbolic links"),
    "bomb in a folder": (folder_of_a_bomb, r"x/a/000.png: can't be read .*exceeds limit"),
    "pickled .npy": (pickled_npy, r"x.npy: can't be read as .npy .*Python objects in dtype"),
    "deep JSON": (deep("dataset.json"), r"x/dataset.json: can't be read .*recursion"),
    "deep JSON lines": (deep("metadata.jsonl"), r"x/metadata.jsonl: can't be read as a table .*recursion"),
    "twice": (twice, "'a.png' is in the archive twice"),
    "bomb of a picture": (a_bomb_of_a_picture, r"x.zip: b/030.png: can't be read .*exceeds limit"),
    "bomb of an archive": (a_bomb_of_an_archive, r"'a/000.png' would be 3.0 GiB; no picture is so large"),
    "bomb of an array": (a_bomb_of_an_array, r"images.npy: not as long as its header says"),
}
