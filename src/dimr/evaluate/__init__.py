"""Errors of recovered bodies: alignment (`align.py`), metrics (`errors.py`), SynthOcc runs."""
