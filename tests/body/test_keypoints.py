import pytest

from dimr.body import keypoints
from dimr.body.keypoints import (
    H36M17_NAMES,
    H36M17_TO_LSP14,
    JOINT_MIRROR,
    JOINT_NAMES,
    JOINT_PARENTS,
    KEYPOINT_MIRROR,
    KEYPOINT_NAMES,
    LSP14_EDGES,
    LSP14_NAMES,
)


def test_joint_mirror_is_smpl_flip_permutation():
    # the table that SPIN and its heirs use
    expected = "0 2 1 3 5 4 6 8 7 9 11 10 12 14 13 15 17 16 19 18 21 20 23 22"
    assert " ".join(map(str, JOINT_MIRROR)) == expected


def test_parents_come_first_and_follow_the_mirror():
    assert all(parent < joint for joint, parent in enumerate(JOINT_PARENTS))
    for joint, parent in enumerate(JOINT_PARENTS[1:], start=1):
        assert JOINT_PARENTS[JOINT_MIRROR[joint]] == JOINT_MIRROR[parent]


@pytest.mark.parametrize(("name", "count"), [("coco17", 17), ("lsp14", 14), ("h36m17", 17)])
def test_keypoint_sets_are_whole(name, count):
    names, mirror = KEYPOINT_NAMES[name], KEYPOINT_MIRROR[name]
    assert len(set(names)) == count
    assert [mirror[k] for k in mirror] == list(range(count))
    assert all(names[k][2:] == names[mirror[k]][2:] for k in range(count))


def test_lsp14_edges_join_all_and_follow_the_mirror():
    mirror, edges = KEYPOINT_MIRROR["lsp14"], {frozenset(edge) for edge in LSP14_EDGES}
    assert {frozenset(mirror[k] for k in edge) for edge in edges} == edges
    assert {k for edge in edges for k in edge} == set(range(14))


def test_h36m17_to_lsp14_agrees_by_name():
    other_names = {"head_top": "head"}
    assert [H36M17_NAMES[k] for k in H36M17_TO_LSP14] == [
        other_names.get(name, name) for name in LSP14_NAMES
    ]


def test_mirror_table_leaves_middle_names():
    assert keypoints.mirror_table(["L_a", "b", "R_a"]) == (2, 1, 0)
    assert len(JOINT_NAMES) == 24
