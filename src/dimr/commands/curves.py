"""`dimr curves`: how validation went in one training or several in a row."""

from pathlib import Path
from typing import Annotated

import typer


def curves(
    logs: Annotated[
        list[Path],
        typer.Argument(help="log.jsonl of a run folder; several: of runs in a row, first first."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG to write.")],
) -> None:
    """Draw the validation curves of `dimr train`."""
    from dimr.files import check_file_place
    from dimr.pages import draw_logs

    if output.suffix.lower() != ".png":
        raise ValueError(f"--output: got {output}, want a name that ends in .png")
    check_file_place("--output", output)
    draw_logs(output, logs)
    typer.echo(f"wrote {output}")
