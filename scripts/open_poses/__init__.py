"""How `build_open_poses.py` measures retargeted motion."""
