"""How well retargeted motion agrees with its source, in numbers."""
def measure(*a): return []
