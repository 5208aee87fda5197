"""Whether a posed skeleton's limbs are inside its trunk or each other.

Places are metres in any frame; see `dimr.data.synthetic.anatomy.pose_skeleton`.
"""

import math
from typing import no_type_check

import numba
import numpy as np

MAX_COLLISION_M = 0.02
"""Poses whose limbs are deeper than this inside something else are drawn again."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def segment_gap(a0, a1, b0, b1):
    """Distance between two line segments."""
    uu = uv = vv = uw = vw = ww = 0.0
    for i in range(3):
        u, v, w = a1[i] - a0[i], b1[i] - b0[i], a0[i] - b0[i]
        uu += u * u
        uv += u * v
        vv += v * v
        uw += u * w
        vw += v * w
        ww += w * w
    det = uu * vv - uv * uv
    s = 0.0
    if det > 1e-9:
        s = min(max((uv * vw - vv * uw) / det, 0.0), 1.0)
    t = min(max((uv * s + vw) / max(vv, 1e-9), 0.0), 1.0)
    s = min(max((uv * t - uw) / max(uu, 1e-9), 0.0), 1.0)
    squared = ww + s * s * uu + t * t * vv + 2 * (s * uw - t * vw - s * t * uv)
    return math.sqrt(max(squared, 0.0))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _beyond(start, end, share):
    """The point at a share of the way; 1 is the end."""
    point = np.empty(3)
    for i in range(3):
        point[i] = start[i] + (end[i] - start[i]) * share
    return point


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _beside(place, matrix, axis, metres):
    """A point moved along a body part's own axis."""
    point = np.empty(3)
    for i in range(3):
        point[i] = place[i] + matrix[i, axis] * metres
    return point


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def deepest_collision_m(joints, turned):
    """How deep (metres) limbs, modelled as capsules, are inside the trunk or each other."""
    deepest = -1.0
    head = _beside(joints[15], turned[15], 1, 0.09)
    for side in range(2):
        elbow, wrist = joints[18 + side], joints[20 + side]
        tip = _beyond(wrist, joints[22 + side], 1.8)
        # trunk: two upright capsules at the pelvis' and chest's half widths
        for half in range(-1, 2, 2):
            low = _beside(joints[0], turned[0], 0, half * 0.06)
            high = _beside(joints[9], turned[9], 0, half * 0.07)
            deepest = max(deepest, 0.145 - segment_gap(elbow, wrist, low, high))
            deepest = max(deepest, 0.125 - segment_gap(wrist, tip, low, high))
        deepest = max(deepest, 0.125 - segment_gap(elbow, wrist, joints[12], head))
        deepest = max(deepest, 0.115 - segment_gap(wrist, tip, joints[12], head))
        for leg in range(2):
            hip, knee, ankle = joints[1 + leg], joints[4 + leg], joints[7 + leg]
            deepest = max(deepest, 0.11 - segment_gap(wrist, tip, hip, knee))
            deepest = max(deepest, 0.10 - segment_gap(elbow, wrist, hip, knee))
            deepest = max(deepest, 0.08 - segment_gap(wrist, tip, knee, ankle))
        # heel and buttock, thigh and belly
        knee, ankle = joints[4 + side], joints[7 + side]
        upper_shin = _beyond(knee, ankle, 0.35)
        deepest = max(deepest, 0.13 - segment_gap(upper_shin, ankle, joints[3], joints[9]))
        deepest = max(deepest, 0.17 - segment_gap(knee, knee, joints[3], joints[9]))
        # shank and the other thigh
        other_knee = joints[5 - side]
        other_mid = _beyond(joints[2 - side], other_knee, 0.4)
        deepest = max(deepest, 0.10 - segment_gap(knee, ankle, other_mid, other_knee))
    deepest = max(deepest, 0.07 - segment_gap(joints[18], joints[20], joints[19], joints[21]))
    deepest = max(deepest, 0.085 - segment_gap(joints[4], joints[7], joints[5], joints[8]))
    return max(deepest, 0.07 - segment_gap(joints[7], joints[10], joints[8], joints[11]))
