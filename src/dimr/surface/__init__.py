"""The body's surface: its UV map, the z-buffer that draws it, dense correspondence (IUV)."""
