import torch

from dimr.body.rotation import rotmat_to_rot6d
from dimr.network.complete import Completed
from dimr.network.regress import (
    INITIAL_CAMERA,
    THETA_SIZE,
    IterativeRegressor,
    facing_camera,
)


def run(regressor, batch=2, vector=6, pooled=4):
    torch.manual_seed(1)
    return regressor(Completed(torch.rand(batch, vector)), torch.rand(batch, pooled))


class TestIterativeRegressor:
    def test_starts_near_its_initial_state(self):
        torch.manual_seed(0)
        regression = run(IterativeRegressor(10, hidden=32))
        assert (regression.rotmats - facing_camera()).abs().max() < 0.1
        assert regression.betas.abs().max() < 0.1
        assert (regression.camera - torch.tensor(INITIAL_CAMERA)).abs().max() < 0.1

    def test_initial_state_is_read_in_the_6d_layout(self):
        """With decoders at zero, any given pose comes out as it went in."""
        rotmats = torch.linalg.qr(torch.randn(24, 3, 3)).Q
        rotmats = rotmats * torch.linalg.det(rotmats)[:, None, None]
        regressor = IterativeRegressor(10, hidden=8)
        regressor.initial_state[:THETA_SIZE] = rotmat_to_rot6d(rotmats).flatten()
        for decoder in (regressor.decode_theta, regressor.decode_betas, regressor.decode_camera):
            torch.nn.init.zeros_(decoder.weight)
        torch.testing.assert_close(run(regressor).rotmats[1], rotmats, atol=1e-5, rtol=0)

    def test_facing_camera_turns_the_body_frame(self):
        """The body's up is the picture's up (-y), its front looks at the camera (-z)."""
        root = facing_camera()[0]
        assert (root @ torch.tensor([0.0, 1.0, 0.0])).tolist() == [0, -1, 0]
        assert (root @ torch.tensor([0.0, 0.0, 1.0])).tolist() == [0, 0, -1]

    def test_gives_rotations(self):
        torch.manual_seed(0)
        regressor = IterativeRegressor(10, hidden=32)
        torch.nn.init.normal_(regressor.decode_theta.weight)
        rotmats = run(regressor).rotmats.double()
        identity = torch.eye(3, dtype=torch.double).expand_as(rotmats)
        torch.testing.assert_close(rotmats @ rotmats.mT, identity, atol=1e-5, rtol=0)
        assert (torch.linalg.det(rotmats) > 0).all()

    def test_equals_the_regressor_as_it_is_usually_written(self):
        """The twin: one layer over the concatenated features and state, in every step."""
        torch.manual_seed(0)
        regressor = IterativeRegressor(10, hidden=16, iterations=2).double()
        torch.nn.init.normal_(regressor.decode_camera.weight)
        completed, pooled = torch.rand(2, 6).double(), torch.rand(2, 4).double()
        weight = torch.cat([regressor.enter_features.weight, regressor.enter_state.weight], dim=1)
        state = regressor.initial_state.expand(2, -1)
        for _ in range(2):
            hidden = torch.cat([completed, pooled, state], dim=1) @ weight.T
            hidden = (hidden + regressor.enter_features.bias).relu()
            hidden = regressor.hidden(hidden).relu()
            theta, betas = regressor.decode_theta(hidden), regressor.decode_betas(hidden)
            state = state + torch.cat([theta, betas, regressor.decode_camera(hidden)], dim=1)
        regression = regressor(Completed(completed), pooled)
        torch.testing.assert_close(regression.camera, state[:, -3:].float())
        torch.testing.assert_close(regression.betas, state[:, 144:154].float())

    def test_dropout_only_in_training(self):
        regressor = IterativeRegressor(10, hidden=32, dropout=0.5)
        completed, pooled = Completed(torch.rand(2, 6)), torch.rand(2, 4)
        first, second = (regressor(completed, pooled).betas for _ in range(2))
        assert not torch.equal(first, second)
        regressor.eval()
        first, second = (regressor(completed, pooled).betas for _ in range(2))
        assert torch.equal(first, second)

    def test_passes_part_features_on(self):
        part_features, attention = torch.rand(2, 24, 3), torch.rand(2, 24, 4, 4)
        completed = Completed(torch.rand(2, 6), part_features, attention)
        regression = IterativeRegressor(10, hidden=8)(completed, torch.rand(2, 4))
        assert regression.part_features is part_features
        assert regression.attention is attention
