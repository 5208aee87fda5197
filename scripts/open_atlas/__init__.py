"""Steps of scripts/build_open_atlas.py: lay the islands out, let them fill the square."""
