"""`forger data`."""

from forger.commands.declaring import CONFIG_DIR, Arguments, Command, Option


def _run(given: Arguments) -> int:
    from forger.commands.data.execution import show

    return show(given.positionals[0], given.positionals[1:], given.options)


COMMAND = Command(
    name="data",
    arguments="PATH [OVERRIDES...]",
    summary="what is there: form, sizes, classes, splits, duplicates, damage",
    about="""\
Look at every picture at PATH, in any form that data=files reads, before anybody trains on it: form, number, sizes,
channels, depth, classes, splits, copies, what can't be read, and command lines that train on it. OVERRIDES: as a run
takes them, like data.label=Smiling data.size=64 'data.splits={test: .2}'. The exit code is 1 if pictures are damaged
and data.skip_damaged=true is not among them, 2 if PATH itself can't be read.
""",
    options=(
        Option("--json", "one document (docs/data.schema.json)"),
        Option("--sheet FILE", "write a contact sheet: some pictures as they would be trained on, one row a class"),
        Option(
            "--pack FILE",
            "write all pictures, decoded, as one .zip of PNGs (.npy where no PNG holds them) with splits and labels "
            "(StyleGAN's dataset.json); it trains with the same fingerprint",
        ),
        CONFIG_DIR,
    ),
    run=_run,
)
