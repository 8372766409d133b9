"""`forger extractor`."""

from forger.commands.declaring import CONFIG_DIR, Arguments, Command, Option


def _run(given: Arguments) -> int:
    from forger.commands.extractor.execution import make_extractor

    return make_extractor(given.positionals, given.options)


COMMAND = Command(
    name="extractor",
    arguments="data=D [OVERRIDES...]",
    summary="train and write an extractor for scores on one's own data",
    about="""\
Train a classifier on a labelled set of pictures (minutes on a processor), print how many of the test images it
puts into their class and what its Fréchet distance says of known damage, and write one file without code, which
`forger evaluate --extractor FILE` and `extractor: FILE` in conf/metrics take. OVERRIDES: any of the config's data, as
data.size=64 data.root=pictures data.classes=5; and seed=1.
""",
    options=(
        Option("-o, --output FILE", "NAME.safetensors; its scores are fd_NAME, … (default: the name of the data)"),
        CONFIG_DIR,
    ),
    run=_run,
)
