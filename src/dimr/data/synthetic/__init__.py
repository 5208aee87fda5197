"""Synthetic people: (seed, index) -> picture with exact labels.

Entry point: `people.SyntheticPeople`. A sample is put together in this order:

- `poses`: `attitudes` or, from a `pose_bank`, recorded poses, with `anatomy` (joint angles ->
  rotations, limits) and `collision`,
- `figure` (pose, shape and thickness of clothes -> vertices in camera axes),
- `staging` (camera, neighbours, the detector's crop; `hugging`),
- `dressing` (who wears what: garments of the `wardrobe`, joined with the body by `outfit`, or
  painted clothes),
- `looks` (what a person looks like), `painted_clothes` (what is worn), `paint` (material,
  thickness and colour of a surface point, with `heads`, `clothes`, `folds`),
- `background` from `scenes` (`indoors`, `outdoors`, `props`) and `objects` (`shapes`), drawn with
  `solids` and `textures`, or photos and cut-outs from `folders`,
- `drawing` (people -> pixels, with `shading`) and `compose` (layers -> labels),
- `photo` (lens, tone, noise, compression).

`synthocc` is the benchmark, `published` its hashes; `survey` and `statistics` measure sets of
samples and compare them with photographs.
"""
