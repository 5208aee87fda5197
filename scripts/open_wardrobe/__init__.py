"""Steps of scripts/build_open_wardrobe.py: MakeHuman's garments on the open body."""
