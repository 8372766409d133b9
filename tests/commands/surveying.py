"""What `forger data` says of a place."""

import json

from forger import cli
from forger.data.survey import json_schema
from forger.json_schema import problem


def surveyed(capsys, *arguments, code=0):
    assert cli.main(["data", *map(str, arguments), "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert problem(document, json_schema()) is None
    return document
