"""Prints the tables of docs/results.md again, from what `dimr ablate --json` wrote.

    python benchmarks/study.py FILE...

Each file is one table.
"""

import json
import sys
from pathlib import Path

from rich.console import Console

from dimr.commands.ablate import study_tables

if __name__ == "__main__":
    for path in sys.argv[1:]:
        report = json.loads(Path(path).read_text())
        Console().print(f"{report['table']}, {report['budget']}")
        for table in study_tables(report["table"], report["rows"]):
            Console(width=160).print(table)
