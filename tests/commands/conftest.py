"""Weights of other variants than the one that ships."""

from dataclasses import replace

import pytest

from dimr.network.dimr import HeadSize
from dimr.train import weights


@pytest.fixture(scope="module")
def save_variant(tmp_path_factory, open_body, open_atlas):
    """Saves a fresh small head of a variant on the shipped encoder; returns the folder."""

    def save(variant, **sizes):
        folder = tmp_path_factory.mktemp(variant)
        size = replace(HeadSize(), hidden=32, **sizes)
        shipped = weights.weights_folder("open")
        network = weights.load_stage1_network(shipped, open_body, open_atlas)
        stage2 = weights.new_stage2(variant, network.encoder, open_body, open_atlas, size)
        weights.save_stage1(folder, network, open_body, open_atlas, {})
        weights.save_stage2(folder, stage2, size, open_body, open_atlas, {"variant": variant})
        return folder

    return save
