"""What is at a place, printed; a contact sheet and a packed file of it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from forger.commands.data.presets import fitting, quoted, translating, values_of
from forger.commands.declaring import local
from forger.config.instantiation import built
from forger.config.schema import Config, validate
from forger.console import say, show_lines
from forger.data.dataset import Data
from forger.data.files import seen
from forger.data.packing import pack
from forger.data.survey import Survey, survey
from forger.errors import ConfigError
from forger.pictures.image_files import save_picture, tiles
from forger.pictures.layout import captioned
from forger.standard_streams import printable
from forger.sweeps.composing import configs

#: Rows and columns of a contact sheet.
_ROWS, _COLUMNS = 20, 10
#: How many sizes, classes and copies are printed; `--json` has all of them.
_SOME = 8


def show(path: str, overrides: Sequence[str], options: Mapping[str, Any]) -> int:
    """Print what is at a place, write what is asked for; 1 if pictures are damaged and not to be skipped, else 0.

    Args:
        path: the place.
        overrides: of the config's `data`.
        options: `json`; `sheet` and `pack`, files; `config-dir`, the user's own configs.

    Raises:
        ConfigError: a path or an override that can't be.
        FileNotFoundError, ValueError: the place can't be read.
    """
    show_lines()
    strange = [text for text in overrides if not re.match(r"\+{0,2}data\.\w", text)]
    if strange:
        raise ConfigError(f"data {strange[0]}: only data.KEY=VALUE counts here")
    _check_files(options, Path(local(path)))
    base = [f"--config-dir={folder}" for folder in options.get("config-dir", ())]
    typed = ["data=files", f"data.root={quoted(path)}", *overrides]
    with configs(options.get("config-dir", ())) as compose:
        config = validate(compose("train", ["model=gan", "metrics=none", "logger=none", *typed]))
        source = config.data.source
        found = survey(
            str(source["root"]),
            *(source.get(key) for key in ("label", "splits", "group")),
            training={key: getattr(config.data, key) for key in ("size", "channels", "depth", "classes")},
        )
        damaged = bool(found.damaged) and not config.data.skip_damaged
        skipping = ["data.skip_damaged=true"] * damaged
        certain = found.translation is not None and not found.classes
        commands = translating(compose, found, overrides, base)
        if not certain:
            commands += fitting(compose, [*typed, *skipping], found.splits["train"], config.data.classes, base)
        found = replace(found, commands=commands)
        print(json.dumps(found.document(), indent=2) if "json" in options else printable("\n".join(_lines(found))))
        if {"sheet", "pack"} & {*options}:
            data = built("data.source", {**source, "skip_damaged": True} | ({"classes": 0} if certain else {}))
            names = [each["name"] for each in found.classes]
            if "sheet" in options:
                save_picture([_sheet(data, names)], Path(options["sheet"]))
                say(f"contact sheet: {options['sheet']}")
            if "pack" in options and certain:
                first = Path(path, found.domains[0]["folders"][0])
                raise ConfigError(f"--pack {options['pack']}: {path} is two domains; pack each alone, like {first}")
            if "pack" in options and damaged:
                say(f"not packed: {len(found.damaged):,} pictures are damaged; data.skip_damaged=true leaves them out")
            elif "pack" in options:
                count, file = pack(data, names, Path(options["pack"])), options["pack"]
                typed = ["data=files", f"data.root={quoted(file)}", *_of_packed(file, config, overrides)]
                say(f"packed {count:,} pictures: {file}")
                for line in fitting(compose, typed, found.splits["train"], config.data.classes, base)[:1]:
                    say(f"  {line}")
    return int(damaged)


def _of_packed(file: str, config: Config, overrides: Sequence[str]) -> list[str]:
    """What a run has to be told of a packed set, so that it is what the original is with these overrides."""
    data = config.data
    columns = data.label if isinstance(data.classes, list) else None
    there = seen(file, columns)
    keys = ["size", "channels", "depth", *(["classes"] if columns is None else [])]
    told = [text for text in overrides if columns is not None and text.startswith("data.label=")]
    told += [f"data.{key}={values_of(getattr(data, key))}" for key in keys if getattr(data, key) != there[key]]
    return told + ([f"data.range={values_of(list(data.range))}"] if data.range is not None else [])


def _check_files(options: Mapping[str, Any], place: Path) -> None:
    """Refuse files that can't be written, or would become part of what is looked at.

    Raises:
        ConfigError: which, and why.
    """
    for name, suffixes in (("sheet", (".png", ".jpg", ".webp")), ("pack", (".zip",))):
        if name not in options:
            continue
        file = Path(options[name])
        if file.suffix.lower() not in suffixes:
            raise ConfigError(f"--{name} {file}: its name must end with {' or '.join(suffixes)}")
        if not file.resolve().parent.is_dir():
            raise ConfigError(f"--{name} {file}: there is no folder {file.parent}")
        if file.resolve().is_relative_to(place.resolve()):
            raise ConfigError(f"--{name} {file}: would become part of {place}; write it elsewhere")


def _lines(found: Survey) -> Iterator[str]:
    """The survey as text."""

    def some(texts: Sequence[str], joined: str = ", ") -> str:
        return joined.join(texts[:_SOME]) + (f"{joined}… ({len(texts):,} in all)" if len(texts) > _SOME else "")

    yield f"{found.path}: {found.form}, {found.pictures:,} pictures"
    yield "  sizes     " + some([f"{each['width']}x{each['height']} {each['pictures']:,}" for each in found.sizes])
    kinds = [f"{each['mode']} ({each['channels']} x {each['depth']}) {each['pictures']:,}" for each in found.kinds]
    yield "  channels  " + some(kinds)
    classes = [f"{each['name']} {each['pictures']:,}" for each in found.classes]
    yield f"  classes   {len(classes)}: {some(classes)}" if classes else "  classes   none"
    drawn = [name for name in found.splits if name not in found.own_splits]
    by = "the bytes of the files" if found.translation and not found.classes else "the pictures' pixels"
    how = "as they are divided there" if not drawn else f"drawn by {by}"
    if drawn and found.own_splits:
        how = f"{' and '.join(drawn)} drawn from train by {by}"
    yield "  splits    " + ", ".join(f"{name} {count:,}" for name, count in found.splits.items()) + f" ({how})"
    if found.left_out:
        yield f"            {found.left_out:,} in none of these folders"
    for domain in found.domains:
        counts = ", ".join(f"{name} {count:,}" for name, count in domain["splits"].items())
        yield f"  domain {domain['name']}  {' and '.join(domain['folders'])}: {counts}"
    if found.translation:
        paired = found.translation == "paired_folder"
        pairs, model = ("pairs by the names of files", "pix2pix") if paired else ("without pairs", "cyclegan")
        yield f"            two domains for translation, {pairs}: model={model} data={found.translation}"
    copies = some([" = ".join(names[:3]) + (" = …" if len(names) > 3 else "") for names in found.copies], "; ")
    yield f"  copies    {found.repeated:,}: {copies}" if found.copies else "  copies    none"
    if found.shared:
        names = [" = ".join(f"{name} ({split})" for split, name in each.items()) for each in found.shared]
        yield f"            {len(names):,} in several of its own splits: {some(names, '; ')}"
    yield f"  damaged   {len(found.damaged):,}" if found.damaged else "  damaged   none"
    for why in found.damaged.values():
        yield f"    {why}"
    yield "  trains as " + ", ".join(f"data.{key}={values_of(value)}" for key, value in found.training.items())
    yield ""
    yield "To train on it:"
    for line in found.commands:
        yield f"  {line}"


def _sheet(data: Data, names: Sequence[str]) -> Image.Image:
    """Pictures of the training split as it is trained on: ten of each class, or two hundred spread over all."""
    images, count = data.train.arrays["image"], len(data.train)
    if data.classes < 2:
        rows = torch.linspace(0, count - 1, min(count, _ROWS * _COLUMNS)).long()
        return tiles(data.values.drawn(images[rows]), _COLUMNS)
    labels, shown, captions = data.train.arrays["label"], [], []
    for label in range(data.classes):
        rows = (labels == label).nonzero().flatten()
        if len(rows) and len(captions) < _ROWS:
            spread = torch.linspace(0, len(rows) - 1, _COLUMNS).long()
            shown.append(data.values.drawn(images[rows[spread]]))
            captions.append(names[label])
    return captioned(tiles(torch.cat(shown), _COLUMNS), rows=captions)
