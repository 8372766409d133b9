"""Sixty pictures of 8×8 in every form that `data=files` reads."""

import csv
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

N, SIDE = 60, 8


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(N, SIDE, SIDE), dtype=np.uint8)


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def named() -> dict[str, bytes]:
    """The pictures as files whose order by name is theirs: classes a, b and c of 20 each."""
    return {f"{'abc'[i // 20]}/{i:03}.png": png(array) for i, array in enumerate(pixels())}


def folder(root):
    for name, content in named().items():
        (root / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "x" / name).write_bytes(content)
    return root / "x"


def zipped(root, members=None, name="x.zip", **options):
    with zipfile.ZipFile(root / name, "w", **options) as archive:
        for member, content in (members or named()).items():
            archive.writestr(member, content)
    return root / name


def stylegan(root):
    names = {f"{i // 7:05}/img{i:08}.png": content for i, content in enumerate(named().values())}
    labels = {"labels": [[name, i // 20] for i, name in enumerate(names)]}
    return zipped(root, names | {"dataset.json": json.dumps(labels).encode()})


def tarred(root, members=None, *, mode="w", name="x.tar", **facts):
    with tarfile.open(root / name, mode) as archive:
        for member, content in reversed((members or named()).items()):
            entry = tarfile.TarInfo(f"./x/{member}" if members is None else member)
            entry.size = len(content)
            for key, value in facts.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(content))
    return root / name


def _with_channels():
    """N×H×W×C."""
    array = pixels()
    return array if array.ndim == 4 else array[..., None]


def npz(root):
    np.savez_compressed(root / "x.npz", images=pixels(), labels=np.arange(N) // 20)
    return root / "x.npz"


def npz_of_splits(root):
    """As Keras's mnist.npz, in channels first."""
    array, labels = _with_channels().transpose(0, 3, 1, 2), (np.arange(N) // 20)[:, None]
    np.savez(root / "x.npz", x_train=array[:50], y_train=labels[:50], x_test=array[50:], y_test=labels[50:])
    return root / "x.npz"


def npy(root):
    np.save(root / "x.npy", _with_channels())
    return root / "x.npy"


def csv_table(root):
    where = folder(root)
    rows = [["id", "file", "label"], *([i, name, "abc".index(name[0])] for i, name in enumerate(named()))]
    with (where / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return where / "x.csv"


def csv_of_splits(root):
    """A folder with a table for each split, names without suffix, and absolute paths below it."""
    where = folder(root)
    rows = [f"{where if i % 2 else '.'}/{name}" if i < 40 else f"{i:03}" for i, name in enumerate(named())]
    for name, part in {"Train.csv": slice(0, 50), "test.csv": slice(50, 60)}.items():
        lines = [f"{row},{i // 20}" for i, row in enumerate(rows)][part]
        (where / name).write_text("\n".join(["id,label", *reversed(lines), ""]))
    return where


def kaggle_celeba(root, suffix=".csv"):
    """Attributes and splits as Kaggle's jessicali9530/celeba-dataset has them, or as the authors do."""
    where = folder(root / "img_align_celeba").parent.parent
    names = [f"{i:03}.png" for i in range(N)]
    values = [("1" if i // 20 == 2 else "-1", "1") for i in range(N)]
    splits = [i // 30 if i < 55 else 2 for i in range(N)]
    if suffix == ".csv":
        rows = [",".join((name, *pair)) for name, pair in zip(names, values, strict=True)]
        attributes = ["image_id,Smiling,Young", *rows]
        partition = ["image_id,partition", *(f"{name},{split}" for name, split in zip(names, splits, strict=True))]
    else:
        rows = [f"{name} {pair[0]:>2}  {pair[1]}" for name, pair in zip(names, values, strict=True)]
        attributes = [f"{N}", "Smiling Young ", *rows]
        partition = [f"{name} {split}" for name, split in zip(names, splits, strict=True)]
    (where / f"list_attr_celeba{suffix}").write_text("\n".join([*attributes, ""]))
    (where / f"list_eval_partition{suffix}").write_text("\n".join([*partition, ""]))
    return where


def json_lines(root):
    """In a folder, as Hugging Face's `imagefolder` takes it, with names of files that lie deeper."""
    where = folder(root)
    rows = [{"file_name": name.partition("/")[2], "class": name[0]} for name in named()]
    (where / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return where


def parquet(root, structs=True, group=7):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    column = [{"bytes": content, "path": name} if structs else content for name, content in named().items()]
    table = pyarrow.table({"label": [i // 20 for i in range(N)], "image": column})
    parquet.write_table(table, root / "x.parquet", row_group_size=group)
    return root / "x.parquet"


def parquet_of_paths(root, path="x/{}"):
    """As `datasets` writes a table whose pictures it does not embed."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folder(root)
    column = [{"bytes": None, "path": path.format(name)} for name in named()]
    table = pyarrow.table({"image": column, "label": [i // 20 for i in range(N)]})
    parquet.write_table(table.cast(pyarrow.schema([
        ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])), ("label", pyarrow.int64())
    ])), root / "x.parquet")  # fmt: skip
    return root / "x.parquet"


def plain_parquet(root):
    return parquet(root, structs=False)


def saved_set(root):
    """The Arrow files that `save_to_disk` writes, with its notes on the columns."""
    pyarrow = pytest.importorskip("pyarrow")
    column = [{"bytes": content, "path": None} for content in named().values()]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b", "c"]}}
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pyarrow.table({"image": column, "label": [i // 20 for i in range(N)]}).replace_schema_metadata(noted)
    (root / "x" / "train").mkdir(parents=True)
    (root / "x" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    parts = [table.slice(0, 33), table.slice(33)]
    for i, part in enumerate(parts):
        with pyarrow.ipc.new_stream(str(root / "x" / "train" / f"data-{i:05}-of-00002.arrow"), part.schema) as file:
            file.write_table(part)
    state = {"_data_files": [{"filename": f"data-{i:05}-of-00002.arrow"} for i in range(2)], "_indices_files": None}
    (root / "x" / "train" / "state.json").write_text(json.dumps(state))
    return root / "x"


def database(root):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(root / "x"), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for i, content in enumerate(named().values()):
            transaction.put(f"8-{i:05}".encode(), content)
        transaction.put(b"length", b"60")
    return root / "x"
