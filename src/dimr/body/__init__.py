"""The body: from pose and shape to a mesh, and from a camera to pixels.

Module layout: `model` (the body model, start here), `smpl_file` (reads model files), `rotation`
and `skinning` (the mathematics), `keypoints` (names, parents, mirror tables), `camera`.
"""
