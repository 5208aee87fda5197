"""What somebody wears: real garments from the wardrobe, clothes painted on the skin, or both."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from dimr.data.synthetic import looks
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.figure import Tailor
from dimr.data.synthetic.outfit import Dresser, Outfit
from dimr.data.synthetic.wardrobe import Garment, Wardrobe, dye

OPAQUE = 128
"""Alpha from which a texel is cloth or hair, not a hole."""
PAINTED_TOO = 0.35
"""Share of fully dressed people who have clothes painted on the skin below, too: shirts that show
under jackets."""


class Dressed(NamedTuple):
    """Everything about a person's looks; pose and shape are not in it."""

    outfit: Outfit
    """Mesh of the body and its garments."""
    num_opaque_faces: int
    """Faces from here on have textures with holes."""
    look: np.void
    """What is painted on the skin; record of `looks.LOOK`."""
    pushed: Float32[np.ndarray, "V 3"]
    """How far painted hair and clothes stand off the skin of the rest pose."""
    dyes: Float32[np.ndarray, "T 2 3"]
    """Factor and offset of the colours of each texture."""


class Stylist:
    """Draws clothes.

    Args:
        dresser: joins garments and body.
        tailor: the body's arrays.
        wardrobe: real garments of one split; None: painted clothes only.
        config: probabilities.
    """

    def __init__(
        self,
        dresser: Dresser,
        tailor: Tailor,
        wardrobe: Wardrobe | None,
        config: SyntheticConfig,
    ) -> None:
        self.tailor, self.wardrobe, self.config = tailor, wardrobe, config
        self.dresser = dresser
        self.textures: UInt8[np.ndarray, "T n n 4"] = (
            np.full((1, 1, 1, 4), 255, np.uint8) if wardrobe is None else wardrobe.textures
        )
        self._has_holes = self.textures[..., 3].min((1, 2)) < OPAQUE
        self._undyed = np.zeros((len(self.textures), 2, 3), np.float32)
        self._undyed[:, 0] = 1

    def sample(self, rng: np.random.Generator) -> Dressed:
        """One person's clothes."""
        config = self.config
        draw, style = rng.random(), None
        if draw < config.dark_clothes:
            style = "dark"
        elif draw < config.dark_clothes + config.loose_clothes:
            style = "loose"
        if self.wardrobe is None or rng.random() >= config.garments:
            return self._dress(rng, [], style, self._undyed)
        chosen = self.wardrobe.sample_garments(rng, loose=style == "loose")
        dyes = self._undyed.copy()
        for garment in chosen:
            dyes[garment.texture] = dye(rng, garment, dark=style == "dark")
        covered = {garment.covers for garment in chosen}
        complete = {"top", "bottom"} <= covered or "full" in covered
        if complete and rng.random() >= PAINTED_TOO:
            style = "bare"
        return self._dress(rng, chosen, style, dyes)

    def _dress(
        self,
        rng: np.random.Generator,
        garments: list[Garment],
        style: str | None,
        dyes: Float32[np.ndarray, "T 2 3"],
    ) -> Dressed:
        outfit = self.dresser.dress(garments)
        look = looks.sample_look(rng, self.tailor.landmarks, style)
        for garment in garments:
            if garment.kind == "hair":  # the scalp below has its colour
                gain, offset = dyes[garment.texture]
                look["hair"] = (garment.colour * gain + offset).clip(0, 255)
        pushed = self.tailor.thicken(look)
        pushed[outfit.covered] = 0
        holes = self._has_holes[outfit.texture_of_face[outfit.num_body_faces :]]
        opaque = int(holes.argmax()) if holes.any() else len(holes)
        return Dressed(outfit, outfit.num_body_faces + opaque, look, pushed, dyes)
