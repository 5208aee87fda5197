"""The command line: `dimr COMMAND`; each command is a function in a module of `dimr.commands`.

Errors (a wrong value, a file that cannot be read, an extra that is not installed, too little
memory) end in one line on stderr and exit code 1; DIMR_DEBUG=1 shows the traceback as well. Values
that the command line cannot parse end in typer's own lines and exit code 2. Heavy imports belong
inside of the commands, so that `dimr --help` is quick.
"""

import os
import sys
from typing import Annotated

import typer

from dimr import __version__
from dimr.commands.ablate import ablate
from dimr.commands.body import body
from dimr.commands.curves import curves
from dimr.commands.data import data
from dimr.commands.doctor import doctor
from dimr.commands.eval import eval
from dimr.commands.iuv import iuv
from dimr.commands.predict import predict
from dimr.commands.synth import synth
from dimr.commands.train import train

app = typer.Typer(
    name="dimr",
    help="Full 3D human bodies from one picture, also when much of the person is hidden.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (predict, body, doctor, train, curves, eval, ablate):
    app.command(command.__name__)(command)
for group in (data, iuv, synth):
    app.add_typer(group)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"dimr {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Entry point of the `dimr` program."""
    try:
        app()
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        if os.environ.get("DIMR_DEBUG"):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"dimr: error: {reason}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
