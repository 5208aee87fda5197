"""The data sets of the paper, each read in its own published format.

None of their files ships. Entry point: `layout.open_dataset(name, folder)`. Every reader gives
`record.Records`: metadata at once, pictures when asked for; a broken record is counted and named,
not fatal.

- `record` (the common sample), `joints` (the named joint sets), `files` (bounded parsing),
- `h36m`, `muco`, `eft`, `pw3d`, `doh`, `ochuman` (one data set each),
- `spin`, `human_data` (the two exchange formats of the field),
- `labels` (a record, a body and a crop -> targets and rendered IUV), `layout` (where files go),
- `mixture` (training samples of several data sets).
"""
