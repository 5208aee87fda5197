"""Steps of scripts/build_open_wardrobe.py: MakeHuman's clothes, shoes and hair on the open body."""
