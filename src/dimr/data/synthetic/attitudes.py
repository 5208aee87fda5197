"""Attitudes people take on photos: families of anatomical angles (see `anatomy`).

An attitude is put together from legs, trunk and two arms, each a set of angles: mean and spread in
degrees.
"""

from typing import NamedTuple

Angles = dict[str, tuple[int, int]]
Weights = dict[str, float | int]

DEFAULT_SPREAD_DEG = {
    "root_pitch": 3, "root_roll": 3, "spine_flex": 6, "spine_side": 5, "spine_twist": 6,
    "neck_flex": 10, "neck_side": 7, "neck_twist": 18, "collar_lift": 4, "arm_raise": 7,
    "arm_azimuth": 18, "arm_twist": 16, "elbow_flex": 12, "forearm_twist": 30, "wrist_flex": 14,
    "wrist_side": 7, "hand_curl": 14, "hip_flex": 6, "hip_abduct": 4, "hip_twist": 8,
    "knee_flex": 6, "ankle_flex": 7, "ankle_side": 5, "toe_flex": 4,
}  # fmt: skip
"""Spread of the angles that an attitude does not name."""
DEFAULT_MEAN_DEG = {"hand_curl": 18, "hip_abduct": 4, "hip_twist": 6, "knee_flex": 4}
"""Mean of the angles that an attitude does not name; zero for the others."""

ARMS: dict[str, Angles] = {
    "down": {"arm_raise": (14, 5), "arm_azimuth": (20, 35), "arm_twist": (5, 18),
             "elbow_flex": (22, 14)},
    "bent": {"arm_raise": (22, 9), "arm_azimuth": (25, 40), "arm_twist": (20, 22),
             "elbow_flex": (70, 25)},
    "hip": {"arm_raise": (47, 7), "arm_azimuth": (-12, 10), "arm_twist": (62, 8),
            "elbow_flex": (92, 9), "wrist_flex": (25, 12)},
    "crossed": {"arm_raise": (34, 6), "arm_azimuth": (52, 12), "arm_twist": (14, 9),
                "elbow_flex": (104, 10)},
    "hold": {"arm_raise": (24, 9), "arm_azimuth": (55, 25), "arm_twist": (0, 16),
             "elbow_flex": (88, 14)},
    "phone": {"arm_raise": (38, 10), "arm_azimuth": (50, 20), "arm_twist": (-28, 12),
              "elbow_flex": (128, 9)},
    "wave": {"arm_raise": (95, 14), "arm_azimuth": (20, 14), "arm_twist": (-82, 12),
             "elbow_flex": (78, 24)},
    "up": {"arm_raise": (158, 12), "arm_azimuth": (35, 25), "arm_twist": (-62, 20),
           "elbow_flex": (24, 20)},
    "forward": {"arm_raise": (82, 18), "arm_azimuth": (82, 14), "arm_twist": (-30, 22),
                "elbow_flex": (26, 20)},
    "side": {"arm_raise": (88, 14), "arm_azimuth": (12, 16), "arm_twist": (-15, 25),
             "elbow_flex": (16, 16)},
    "behind": {"arm_raise": (24, 6), "arm_azimuth": (-58, 10), "arm_twist": (55, 12),
               "elbow_flex": (55, 18)},
    "swing_fore": {"arm_raise": (32, 10), "arm_azimuth": (78, 10), "arm_twist": (0, 12),
                   "elbow_flex": (32, 14)},
    "swing_back": {"arm_raise": (28, 9), "arm_azimuth": (-58, 12), "arm_twist": (5, 12),
                   "elbow_flex": (22, 12)},
    "run_fore": {"arm_raise": (40, 10), "arm_azimuth": (80, 10), "arm_twist": (-8, 12),
                 "elbow_flex": (95, 14)},
    "run_back": {"arm_raise": (46, 8), "arm_azimuth": (-60, 8), "arm_twist": (8, 12),
                 "elbow_flex": (82, 16)},
    "lap": {"arm_raise": (26, 7), "arm_azimuth": (58, 16), "arm_twist": (2, 10),
            "elbow_flex": (52, 12)},
    "table": {"arm_raise": (40, 10), "arm_azimuth": (72, 14), "arm_twist": (10, 14),
              "elbow_flex": (70, 16)},
    "head": {"arm_raise": (110, 14), "arm_azimuth": (22, 12), "arm_twist": (-80, 8),
             "elbow_flex": (132, 8)},
    "around": {"arm_raise": (76, 8), "arm_azimuth": (71, 6), "arm_twist": (0, 8),
               "elbow_flex": (60, 10), "collar_lift": (6, 4)},
    "over_shoulders": {"arm_raise": (86, 8), "arm_azimuth": (8, 10), "arm_twist": (-4, 10),
                       "elbow_flex": (42, 18), "forearm_twist": (0, 20)},
    "cradle": {"arm_raise": (20, 7), "arm_azimuth": (58, 12), "arm_twist": (4, 9),
               "elbow_flex": (78, 9), "forearm_twist": (-45, 20), "hand_curl": (30, 12)},
    "prop": {"arm_raise": (86, 9), "arm_azimuth": (86, 9), "arm_twist": (-30, 18),
             "elbow_flex": (10, 9), "wrist_flex": (-52, 10), "hand_curl": (6, 5)},
    "handstand": {"arm_raise": (161, 6), "arm_azimuth": (25, 15), "arm_twist": (-60, 15),
                  "elbow_flex": (4, 4), "wrist_flex": (-50, 12), "hand_curl": (5, 5)},
    "spread": {"arm_raise": (118, 16), "arm_azimuth": (8, 12), "arm_twist": (-30, 20),
               "elbow_flex": (8, 8)},
    "prop_behind": {"arm_raise": (50, 6), "arm_azimuth": (-65, 8), "arm_twist": (10, 12),
                    "elbow_flex": (14, 10), "wrist_flex": (-45, 12)},
    "anywhere": {"arm_raise": (75, 45), "arm_azimuth": (40, 45), "arm_twist": (-10, 45),
                 "elbow_flex": (55, 40)},
}  # fmt: skip

LEGS: dict[str, tuple[Angles, Angles]] = {
    "stand": ({}, {}),
    "ease": ({"hip_abduct": (8, 3)},
             {"hip_flex": (12, 6), "knee_flex": (24, 9), "hip_abduct": (9, 4),
              "hip_twist": (14, 8)}),
    "apart": ({"hip_abduct": (11, 5), "hip_twist": (12, 8)},
              {"hip_abduct": (11, 5), "hip_twist": (12, 8)}),
    "cross": ({"hip_abduct": (-7, 2), "hip_flex": (9, 3), "knee_flex": (8, 4)},
              {"hip_abduct": (-3, 2), "hip_flex": (-5, 3)}),
    "stride": ({"hip_flex": (26, 8), "knee_flex": (10, 7), "ankle_flex": (6, 7)},
               {"hip_flex": (-16, 6), "knee_flex": (22, 12), "ankle_flex": (-10, 8)}),
    "pass": ({"hip_flex": (2, 5), "knee_flex": (5, 4)},
             {"hip_flex": (18, 8), "knee_flex": (55, 10), "ankle_flex": (-8, 8)}),
    "run": ({"hip_flex": (62, 16), "knee_flex": (75, 22)},
            {"hip_flex": (-14, 8), "knee_flex": (48, 30), "ankle_flex": (-22, 12)}),
    "sit": ({"hip_flex": (86, 7), "knee_flex": (84, 14), "hip_abduct": (9, 6)},
            {"hip_flex": (86, 7), "knee_flex": (84, 14), "hip_abduct": (9, 6)}),
    "sit_crossed": ({"hip_flex": (88, 5), "knee_flex": (86, 8), "hip_abduct": (2, 3)},
                    {"hip_flex": (102, 4), "knee_flex": (88, 10), "hip_abduct": (-13, 3),
                     "hip_twist": (8, 5)}),
    "sit_floor": ({"hip_flex": (98, 8), "knee_flex": (30, 25), "hip_abduct": (12, 8)},
                  {"hip_flex": (100, 8), "knee_flex": (60, 35), "hip_abduct": (12, 8)}),
    "tailor": ({"hip_flex": (100, 5), "hip_abduct": (36, 5), "hip_twist": (42, 3),
                "knee_flex": (122, 8)},
               {"hip_flex": (94, 5), "hip_abduct": (38, 5), "hip_twist": (42, 3),
                "knee_flex": (116, 8)}),
    "squat": ({"hip_flex": (104, 12), "knee_flex": (122, 14), "hip_abduct": (15, 7),
               "ankle_flex": (20, 5), "hip_twist": (15, 8)},
              {"hip_flex": (104, 12), "knee_flex": (122, 14), "hip_abduct": (15, 7),
               "ankle_flex": (20, 5), "hip_twist": (15, 8)}),
    "crouch": ({"hip_flex": (62, 14), "knee_flex": (72, 16), "hip_abduct": (13, 6),
                "ankle_flex": (18, 6)},
               {"hip_flex": (62, 14), "knee_flex": (72, 16), "hip_abduct": (13, 6),
                "ankle_flex": (18, 6)}),
    "kneel": ({"hip_flex": (8, 10), "knee_flex": (98, 12), "ankle_flex": (-38, 6)},
              {"hip_flex": (8, 10), "knee_flex": (98, 12), "ankle_flex": (-38, 6)}),
    "one_knee": ({"hip_flex": (84, 8), "knee_flex": (88, 10), "hip_abduct": (8, 4)},
                 {"hip_flex": (-2, 7), "knee_flex": (92, 10), "ankle_flex": (-25, 14)}),
    "lunge": ({"hip_flex": (68, 12), "knee_flex": (72, 16), "hip_abduct": (8, 6)},
              {"hip_flex": (-16, 7), "knee_flex": (24, 14), "toe_flex": (28, 8)}),
    "kick": ({"hip_flex": (72, 20), "knee_flex": (22, 18), "hip_abduct": (12, 12)},
             {"hip_flex": (2, 8), "knee_flex": (14, 10)}),
    "jump": ({"hip_flex": (40, 25), "knee_flex": (66, 30), "ankle_flex": (-28, 10)},
             {"hip_flex": (30, 25), "knee_flex": (60, 34), "ankle_flex": (-28, 10)}),
    "one_leg": ({"hip_flex": (78, 18), "knee_flex": (100, 20), "hip_abduct": (12, 12)},
                {"hip_flex": (2, 5), "knee_flex": (8, 6)}),
    "lie": ({"hip_flex": (6, 10), "knee_flex": (10, 10), "hip_abduct": (9, 5),
             "ankle_flex": (-24, 9)},
            {"hip_flex": (14, 14), "knee_flex": (26, 24), "hip_abduct": (9, 5),
             "ankle_flex": (-24, 9)}),
    "curl": ({"hip_flex": (80, 16), "knee_flex": (92, 18)},
             {"hip_flex": (66, 18), "knee_flex": (82, 22)}),
    "wide": ({"hip_abduct": (52, 12), "hip_twist": (18, 10), "knee_flex": (5, 5),
              "ankle_flex": (-30, 10)},
             {"hip_abduct": (52, 12), "hip_twist": (18, 10), "knee_flex": (5, 5),
              "ankle_flex": (-30, 10)}),
    "split": ({"hip_flex": (82, 14), "knee_flex": (7, 6), "ankle_flex": (-30, 10)},
              {"hip_flex": (-30, 6), "hip_abduct": (8, 5), "knee_flex": (12, 12),
               "ankle_flex": (-35, 8)}),
    "together": ({"knee_flex": (5, 5), "hip_abduct": (2, 3), "ankle_flex": (-30, 10)},
                 {"knee_flex": (5, 5), "hip_abduct": (2, 3), "ankle_flex": (-30, 10)}),
    "bridge": ({"hip_flex": (-8, 9), "knee_flex": (88, 12), "hip_abduct": (11, 4),
                "ankle_flex": (4, 8)},
               {"hip_flex": (-8, 9), "knee_flex": (88, 12), "hip_abduct": (11, 4),
                "ankle_flex": (4, 8)}),
    "all_fours": ({"hip_flex": (98, 14), "knee_flex": (88, 10), "ankle_flex": (-36, 7)},
                  {"hip_flex": (72, 14), "knee_flex": (88, 10), "ankle_flex": (-36, 7)}),
    "plank": ({"hip_flex": (2, 6), "knee_flex": (4, 4), "ankle_flex": (12, 8),
               "toe_flex": (36, 5)},
              {"hip_flex": (2, 6), "knee_flex": (4, 4), "ankle_flex": (12, 8),
               "toe_flex": (36, 5)}),
    "dog": ({"hip_flex": (108, 10), "knee_flex": (8, 7), "ankle_flex": (16, 6)},
            {"hip_flex": (108, 10), "knee_flex": (8, 7), "ankle_flex": (16, 6)}),
    "deep_lunge": ({"hip_flex": (98, 10), "knee_flex": (94, 12), "hip_abduct": (8, 8),
                    "ankle_flex": (6, 8)},
                   {"hip_flex": (-20, 8), "knee_flex": (16, 14), "hip_abduct": (8, 8),
                    "ankle_flex": (8, 10), "toe_flex": (32, 8)}),
    "tree": ({"hip_flex": (58, 8), "hip_abduct": (46, 8), "hip_twist": (40, 5),
              "knee_flex": (122, 8)},
             {"hip_flex": (0, 3), "knee_flex": (3, 3)}),
    "high_kick": ({"hip_flex": (112, 12), "knee_flex": (8, 8), "hip_abduct": (14, 12),
                   "ankle_flex": (-24, 14)},
                  {"hip_flex": (-4, 6), "knee_flex": (10, 9)}),
    "side_kick": ({"hip_flex": (42, 16), "hip_abduct": (66, 8), "knee_flex": (10, 10),
                   "hip_twist": (-10, 12)},
                  {"hip_flex": (2, 6), "knee_flex": (12, 9)}),
    "tuck": ({"hip_flex": (118, 8), "knee_flex": (122, 14), "ankle_flex": (-20, 10)},
             {"hip_flex": (110, 10), "knee_flex": (118, 16), "ankle_flex": (-20, 10)}),
    "anyhow": ({"hip_flex": (35, 34), "knee_flex": (45, 36), "hip_abduct": (16, 14)},
               {"hip_flex": (20, 30), "knee_flex": (40, 36), "hip_abduct": (16, 14)}),
}  # fmt: skip


class Attitude(NamedTuple):
    """One family of poses; weights are relative frequencies."""

    weight: float
    legs: Weights
    arms: Weights
    """Arms of this kind; with probability `pair` both are alike."""
    pair: float = 0.6
    trunk: Angles = {}  # noqa: RUF012 - never changed
    left_arm: str | None = None
    """Fixed kind of the left arm, for gaits (then `arms` is for the right one)."""
    plumb: bool = True
    """The legs' angles are meant from the vertical, whatever the trunk does."""
    supple: bool = False
    """The hips flex over straight knees as those of dancers do."""


EASY_ARMS: Weights = {
    "down": 5.0, "bent": 1.5, "hip": 1.2, "hold": 1.2, "crossed": 0.8, "phone": 0.5,
    "behind": 0.5, "wave": 0.4, "side": 0.3, "forward": 0.4, "up": 0.3, "head": 0.2,
    "anywhere": 0.4,
}  # fmt: skip
ATTITUDES: dict[str, Attitude] = {
    "standing": Attitude(34, {"stand": 4, "ease": 3, "apart": 2, "cross": 0.6}, EASY_ARMS),
    "reaching": Attitude(
        8, {"stand": 2, "ease": 2, "apart": 1, "stride": 1},
        {"up": 3, "forward": 3, "side": 2, "wave": 2, "anywhere": 2}, 0.4),
    "walking": Attitude(
        11, {"stride": 3, "pass": 1.5}, {"swing_fore": 5, "hold": 1, "bent": 1, "phone": 0.4},
        0, {"root_pitch": (3, 3), "spine_twist": (-7, 4)}, "swing_back"),
    "running": Attitude(
        6, {"run": 1}, {"run_fore": 1}, 0,
        {"root_pitch": (10, 6), "spine_twist": (-12, 6), "neck_flex": (-8, 8)}, "run_back"),
    "sitting": Attitude(
        12, {"sit": 5, "sit_crossed": 1.5, "sit_floor": 1, "tailor": 1},
        {"lap": 5, "table": 2, "bent": 1, "hold": 1.5, "crossed": 0.5, "phone": 0.5, "head": 0.3,
         "anywhere": 0.5}, 0.7, {"root_pitch": (-6, 10), "spine_flex": (14, 11)}),
    "squatting": Attitude(
        4, {"squat": 2, "crouch": 2}, {"forward": 2, "table": 2, "hold": 2, "anywhere": 1}, 0.7,
        {"root_pitch": (24, 12), "spine_flex": (18, 10), "neck_flex": (-14, 12)}),
    "kneeling": Attitude(
        4, {"kneel": 1, "one_knee": 2},
        {"down": 2, "forward": 1, "lap": 1, "hold": 1, "anywhere": 1}, 0.5,
        {"root_pitch": (8, 10), "spine_flex": (10, 10)}),
    "kicking": Attitude(
        3, {"kick": 2, "one_leg": 1}, {"side": 2, "bent": 1, "anywhere": 2}, 0.3,
        {"root_pitch": (-6, 10)}),
    "lunging": Attitude(
        4, {"lunge": 1}, {"anywhere": 2, "forward": 1, "side": 1, "bent": 1, "hip": 0.5}, 0.4,
        {"root_pitch": (10, 10)}),
    "bending": Attitude(
        4, {"stand": 1, "apart": 1, "crouch": 1, "stride": 0.5},
        {"forward": 2, "down": 1, "table": 1, "anywhere": 1}, 0.6,
        {"root_pitch": (38, 14), "spine_flex": (38, 15), "neck_flex": (-10, 15)}),
    "jumping": Attitude(
        3, {"jump": 2, "apart": 0.5}, {"up": 2, "side": 2, "wave": 1, "anywhere": 2}, 0.6,
        {"root_pitch": (2, 10)}),
    "dancing": Attitude(
        5, {"anyhow": 2, "apart": 1, "cross": 0.5, "lunge": 0.5, "one_leg": 0.5},
        {"anywhere": 4, "up": 1, "side": 1, "hip": 0.5, "head": 0.5}, 0.25,
        {"root_roll": (0, 8), "spine_side": (0, 13), "spine_twist": (0, 16)}),
    "on_back": Attitude(
        1.5, {"lie": 2, "curl": 0.6}, {"down": 2, "side": 1, "head": 1, "anywhere": 1}, 0.5,
        {"root_pitch": (-84, 9), "spine_flex": (6, 8)}, plumb=False),
    "on_front": Attitude(
        1, {"lie": 2}, {"up": 2, "side": 1, "spread": 1, "head": 0.5, "anywhere": 0.3}, 0.6,
        {"root_pitch": (84, 9), "spine_flex": (-10, 9), "neck_flex": (-25, 12)}, plumb=False),
    "on_side": Attitude(
        1, {"lie": 1, "curl": 1.5}, {"hold": 1, "table": 1, "anywhere": 1}, 0.5,
        {"root_roll": (86, 9), "spine_flex": (10, 10)}, plumb=False),
    # Two who touch; only asked for by name.
    "hug_front": Attitude(
        0, {"stand": 2, "ease": 1, "apart": 1}, {"around": 1}, 1,
        {"root_pitch": (4, 4), "spine_flex": (6, 6), "neck_flex": (4, 12)}),
    "hug_side": Attitude(
        0, {"stand": 2, "ease": 2}, EASY_ARMS, 0,
        {"spine_side": (3, 5)}, "over_shoulders"),
    "carry": Attitude(
        0, {"stand": 2, "ease": 1, "apart": 1, "stride": 1}, {"cradle": 1}, 1,
        {"root_pitch": (-4, 4), "spine_flex": (-2, 6), "neck_flex": (14, 12)}),
    # Extreme ones.
    "handstand": Attitude(
        0, {"together": 2, "split": 1, "wide": 1, "anyhow": 0.5}, {"handstand": 1}, 1,
        {"root_pitch": (178, 10), "spine_flex": (-12, 10), "neck_flex": (-25, 12)}, plumb=False,
        supple=True),
    "cartwheel": Attitude(
        0, {"wide": 1}, {"spread": 1}, 1,
        {"root_roll": (120, 45), "root_pitch": (0, 10)}, plumb=False, supple=True),
    "splits": Attitude(
        0, {"wide": 1, "split": 2}, {"side": 2, "up": 1, "prop": 1, "anywhere": 1}, 0.7,
        {"root_pitch": (6, 10)}, supple=True),
    "bridge": Attitude(
        0, {"bridge": 1}, {"handstand": 1}, 1,
        {"root_pitch": (-98, 8), "spine_flex": (-48, 8), "neck_flex": (-32, 8)}, plumb=False),
    "crawling": Attitude(
        0, {"all_fours": 3, "plank": 1}, {"prop": 1}, 0.8,
        {"root_pitch": (80, 7), "spine_flex": (-2, 9), "neck_flex": (-34, 10)}, plumb=False),
    "yoga": Attitude(
        0, {"deep_lunge": 2, "tree": 1, "wide": 0.5}, {"side": 2, "handstand": 2, "crossed": 0.3},
        0.9, {"root_pitch": (2, 8), "spine_flex": (-4, 8)}, supple=True),
    "downward_dog": Attitude(
        0, {"dog": 1}, {"handstand": 1}, 1,
        {"root_pitch": (130, 8), "spine_flex": (2, 8), "neck_flex": (8, 8)}, plumb=False,
        supple=True),
    "breaking": Attitude(
        0, {"anyhow": 2, "split": 1, "wide": 1, "tuck": 1},
        {"prop_behind": 2, "prop": 1, "spread": 1, "anywhere": 1}, 0.2,
        {"root_pitch": (-55, 40), "root_roll": (45, 45), "spine_twist": (0, 16)}, plumb=False,
        supple=True),
    "high_kick": Attitude(
        0, {"high_kick": 2, "side_kick": 1}, {"side": 2, "bent": 1, "run_back": 1, "anywhere": 1},
        0.3, {"root_pitch": (-14, 8), "root_roll": (-8, 12)}, supple=True),
    "flying": Attitude(
        0, {"split": 2, "tuck": 1, "wide": 1, "jump": 1}, {"up": 2, "side": 2, "spread": 2,
        "anywhere": 1}, 0.6, {"root_pitch": (6, 14), "spine_flex": (-4, 14)}, supple=True),
}  # fmt: skip
EXTREME_ATTITUDES = (
    "handstand", "cartwheel", "splits", "bridge", "crawling", "yoga", "downward_dog", "breaking",
    "high_kick", "flying",
)  # fmt: skip
"""Drawn where extreme poses are asked for, all alike often."""
