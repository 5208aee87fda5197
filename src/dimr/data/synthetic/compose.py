"""Layers -> labels: who and what is nearest at each pixel, and how much of whom is left."""

from typing import no_type_check

import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def visible_person(depths, covers, cover_depths, inside):
    """Nearest person of each pixel unless an object is nearer.

    Args:
        depths: (P, h, w) depth of each person drawn alone, inf where it is not.
        covers: (N, h, w) bool, pixels of objects.
        cover_depths: (N,) depth of each object.
        inside: (h, w) bool, False beyond the picture's edge.

    Returns:
        Person of each pixel (h, w) int8, -1 for nobody; visible pixels (P,); pixels that each
        would have alone (P,).
    """
    num_people, height, width = depths.shape
    person = np.full((height, width), -1, np.int8)
    visible, alone = np.zeros(num_people, np.int64), np.zeros(num_people, np.int64)
    for row in range(height):
        for col in range(width):
            if not inside[row, col]:
                continue
            nearest, who = np.inf, -1
            for p in range(num_people):
                depth = depths[p, row, col]
                if depth < np.inf:
                    alone[p] += 1
                if depth < nearest:
                    nearest, who = depth, p
            for n in range(covers.shape[0]):
                if covers[n, row, col] and cover_depths[n] < nearest:
                    who = -1
                    break
            if who >= 0:
                person[row, col] = who
                visible[who] += 1
    return person, visible, alone


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def hidden_by(who, depth, depths, covers, cover_depths, inside, first_object):
    """What stands before one person at each pixel where it would be seen if it were alone.

    Args:
        who: number of the person.
        depth: (h, w) of the person drawn alone, inf where it is not.
        depths: (P, h, w) of everybody.
        covers: (N, h, w) bool, pixels of objects.
        cover_depths: (N,) depth of each object.
        inside: (h, w) bool, False beyond the picture's edge.
        first_object: code of the first object.

    Returns:
        (h, w) int8: `who` where the person is seen, another person's number or an object's code
        where that is nearest, -1 elsewhere.
    """
    height, width = depth.shape
    code = np.full((height, width), -1, np.int8)
    for row in range(height):
        for col in range(width):
            if not (depth[row, col] < np.inf and inside[row, col]):
                continue
            nearest, front = np.float64(depth[row, col]), who
            for p in range(depths.shape[0]):
                if p != who and depths[p, row, col] < nearest:
                    nearest, front = np.float64(depths[p, row, col]), p
            for n in range(covers.shape[0]):
                if covers[n, row, col] and cover_depths[n] < nearest:
                    nearest, front = cover_depths[n], first_object + n
            code[row, col] = front
    return code


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def part_shares(code, who, face, densepose_of_face):
    """Visible share of each DensePose part of a person among its pixels that face the camera.

    Args:
        code: (h, w) as from `hidden_by`.
        who: number of the person.
        face: (h, w) of the person drawn alone.
        densepose_of_face: (F,) uint8.

    Returns:
        (25,) float32; NaN for parts that would not be seen even if the person were alone.
    """
    seen, alone = np.zeros(25, np.int64), np.zeros(25, np.int64)
    for row in range(code.shape[0]):
        for col in range(code.shape[1]):
            if code[row, col] >= 0:
                part = densepose_of_face[face[row, col]]
                alone[part] += 1
                seen[part] += code[row, col] == who
    shares = np.full(25, np.nan, np.float32)
    for part in range(25):
        if alone[part] > 0:
            shares[part] = seen[part] / alone[part]
    return shares


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def write_labels(
    person,
    who,
    face,
    bary,
    corner_uv,
    corner_position,
    nearest_corner,
    densepose_of_face,
    part,
    uv,
    position,
):
    """Fills part (h, w), uv (h, w, 2) and rest position (h, w, 3) of one person's visible pixels.

    Args:
        person: (h, w) as from `visible_person`.
        who: the person to label.
        face: (h, w) and
        bary: (h, w, 3) of this person drawn alone.
        corner_uv: (F, 3, 2) place on the atlas of each corner's surface point.
        corner_position: (F, 3, 3) rest-pose position of each corner's surface point.
        nearest_corner: (F,) bool: corners lie on both sides of a seam, so take the nearest one.
        densepose_of_face: (F,) uint8.
        part: output, zero.
        uv: output, zero.
        position: output, zero.
    """
    height, width = person.shape
    for row in range(height):
        for col in range(width):
            if person[row, col] != who:
                continue
            f = face[row, col]
            part[row, col] = densepose_of_face[f]
            best = 0
            for corner in range(1, 3):
                if bary[row, col, corner] > bary[row, col, best]:
                    best = corner
            for corner in range(3):
                weight = bary[row, col, corner]
                if nearest_corner[f]:
                    weight = np.float32(1 if corner == best else 0)
                for axis in range(2):
                    uv[row, col, axis] += weight * corner_uv[f, corner, axis]
                for axis in range(3):
                    position[row, col, axis] += weight * corner_position[f, corner, axis]
            for axis in range(2):
                uv[row, col, axis] = min(max(uv[row, col, axis], 0.0), 1.0)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def cover_picture(image, person, depth, alpha, colours, object_depth):
    """Lays an object over `image` and `person` in place where it is nearer than the person."""
    height, width = person.shape
    for row in range(height):
        for col in range(width):
            a = np.int32(alpha[row, col])
            if a == 0 or not object_depth < depth[row, col]:
                continue
            for channel in range(3):
                below = np.int32(image[row, col, channel])
                above = np.int32(colours[row, col, channel])
                image[row, col, channel] = np.uint8((below * (255 - a) + above * a + 127) // 255)
            if a >= 128:
                person[row, col] = -1
                depth[row, col] = object_depth


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def halve_cover(alpha):
    """(2h, 2w) alpha -> (h, w) bool: at least half of the four pixels around the centre."""
    height, width = alpha.shape[0] // 2, alpha.shape[1] // 2
    cover = np.empty((height, width), np.bool_)
    for row in range(height):
        for col in range(width):
            total = np.int32(0)
            for i in range(2):
                for j in range(2):
                    total += alpha[2 * row + i, 2 * col + j]
            cover[row, col] = total >= 510
    return cover


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def visible_boxes(person, num_people):
    """Boxes (P, 4) and centroids (P, 2) of the visible pixels; zero for people without any."""
    boxes, centres = np.zeros((num_people, 4), np.float32), np.zeros((num_people, 2), np.float32)
    count = np.zeros(num_people, np.int64)
    total = np.zeros((num_people, 2))
    low = np.full((num_people, 2), 1 << 30)
    high = np.full((num_people, 2), -1)
    for row in range(person.shape[0]):
        for col in range(person.shape[1]):
            who = person[row, col]
            if who < 0:
                continue
            count[who] += 1
            total[who, 0] += col
            total[who, 1] += row
            low[who, 0], low[who, 1] = min(low[who, 0], col), min(low[who, 1], row)
            high[who, 0], high[who, 1] = max(high[who, 0], col), max(high[who, 1], row)
    for p in range(num_people):
        if count[p] > 0:
            for axis in range(2):
                boxes[p, axis] = low[p, axis] - 0.5
                boxes[p, 2 + axis] = high[p, axis] + 0.5
                centres[p, axis] = total[p, axis] / count[p]
    return boxes, centres
