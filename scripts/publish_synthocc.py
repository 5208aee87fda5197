"""Writes the hashes of a few samples of SynthOcc, by which anybody can check theirs.

python scripts/publish_synthocc.py src/dimr/assets/synthocc.json
"""

import argparse
import json
from pathlib import Path

from dimr.data.synthetic.published import make_record
from dimr.files import write_atomically


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    write_atomically(out, (json.dumps(make_record(), indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
