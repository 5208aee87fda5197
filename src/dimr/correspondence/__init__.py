"""Stage 1: picture -> people, and the body surface that each of them shows (paper Sec. 3.1).

`stage1.Stage1` is what the rest of the package uses: `find_people` on the whole picture, then
`refine` on each person's crop, with the person marked. One network (`network.py`) serves both
passes; `people.py` groups its pixels into persons, `decode.py` turns its surface embedding into
uv.

What others made takes its place through `iuv_sources.open_source`: DensePose (`densepose.py`,
`densepose_dump.py`, `torchscript.py`), pictures (`iuv_pictures.py`), our files (`iuv_window.py`).
"""
