"""Pictures before any body is involved.

- `load`: files and folders -> uint8 RGB arrays, bounded and refused with one line.
- `crop`: full picture <-> crop pixels <-> crop-normalised coordinates.
"""
