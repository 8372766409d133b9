"""A page in one file, which needs no network and runs no scripts but its own."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from forger import __version__

# Characters that could end the script element that holds the data, or begin a new one.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
#: Parts of the script that every page begins with.
_SHARED = ("elements.js", "theme.js")


def rendered(
    package: str,
    data: Mapping[str, Any],
    parts: Sequence[str],
    *,
    before: Sequence[str] = (),
    served: bool = False,
    **values: Any,
) -> str:
    """The page that a package has in its folder `templates`: page.html around the data, page.css and a script.

    Args:
        package: ``forger.report``.
        data: JSON, which the script finds as ``data``.
        parts: of the script, in order: each is a file of this name, ``.js``, in `templates`.
        before: whole scripts that come first.
        served: whether the page may ask the server that it came from.
        values: what else page.html shows.
    """

    def text(name: str) -> str:
        own = files(package).joinpath("templates", name)
        return (own if own.is_file() else files("forger.pages").joinpath("templates", name)).read_text("utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join([text(name) for name in (*_SHARED, *(f"{part}.js" for part in parts))])
    scripts = [*before, f'(() => {{\n"use strict";\n{script}}})();\n']
    return environment.get_template("page.html").render(
        data=Markup(_embedded(data)),
        style=Markup(text("base.css") + text("page.css")),
        scripts=[Markup(each) for each in scripts],
        hashes=[_hash(each) for each in scripts],
        served=served,
        version=__version__,
        **values,
    )


def _embedded(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _hash(script: str) -> str:
    """By which the page's policy knows its own scripts: no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
