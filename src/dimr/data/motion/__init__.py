"""Recorded human motion -> poses of the 24 SMPL joints.

- `clip` (what a clip is, its kind), `read.read_motion` (any known file -> clips),
- `bvh` (the BVH format), `arrays` (.npz formats),
- `rigs` (joint names of known skeletons) and `retarget` (their motion -> SMPL's rotations),
- `bank` (clips -> a de-duplicated, balanced bank of poses, and its file).
"""
