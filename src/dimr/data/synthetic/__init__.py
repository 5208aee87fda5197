"""Synthetic people: (seed, index) -> picture with exact labels.

Entry point: `people.SyntheticPeople`. A sample is put together in this order:

- `poses`: `attitudes` or, from a `pose_bank`, recorded poses, with `anatomy` (joint angles ->
  rotations, limits) and `collision`,
- `figure` (pose, shape and thickness of clothes -> vertices in camera axes),
- `staging` (camera, neighbours, the detector's crop),
- `looks` (what a person wears) and `paint` (colour of each pixel),
- `background`, `objects`, `textures`, `folders` (everything that is no person),
- `photo` (blur, noise, compression, light).
"""
