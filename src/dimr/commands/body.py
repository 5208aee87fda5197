"""`dimr body`: check a body model file."""

from pathlib import Path
from typing import Annotated

import typer


def body(
    path: Annotated[
        Path | None, typer.Argument(help="SMPL .pkl or .npz; the open body if left out.")
    ] = None,
) -> None:
    """Check that a body model can be read, and say what it is."""
    from dimr.body.model import BodyModel

    model = BodyModel.load(path)
    heights_m = model.v_template[:, 1]
    correctives = "none" if model.posedirs is None else "yes"
    print(f"name               {model.name}")
    print(f"sha256             {model.content_hash}")
    print(f"vertices           {model.num_vertices}")
    print(f"triangles          {len(model.faces)}")
    print(f"joints             {len(model.parents)}")
    print(f"shape components   {model.shapedirs.shape[-1]}")
    print(f"pose correctives   {correctives}")
    print(f"height             {float(heights_m.max() - heights_m.min()):.3f} m (mean shape)")
