from dataclasses import replace

import numpy as np
import pytest
import torch

from dimr import draw
from dimr.body.camera import PerspectiveCamera, default_camera
from dimr.body.model import BodyModel
from dimr.surface.atlas import load_atlas
from dimr.surface.iuv import vertex_seen
from dimr.surface.render import render_iuv
from dimr.types import Crop, Person, Prediction

WIDTH, HEIGHT = 320, 240
PANEL = 320


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


def standing(body: BodyModel, translation_m: tuple[float, float, float]) -> Person:
    """Upright, facing the camera, in a WIDTH x HEIGHT picture."""
    atlas = load_atlas(None)
    rotmats = torch.eye(3).repeat(1, 24, 1, 1)
    rotmats[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    with torch.inference_mode():
        posed = body(rotmats, torch.zeros(1, 10))
    vertices = posed.vertices_m[0].numpy() + np.float32(translation_m)
    joints = posed.joints_m[0].numpy() + np.float32(translation_m)
    camera = default_camera(WIDTH, HEIGHT)
    crop = Crop(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), float(WIDTH), 192)
    window = PerspectiveCamera(camera.focal_px * 96 / WIDTH, (47.5, 47.5))
    iuv, _ = render_iuv(vertices, atlas, window, (96, 96))
    return Person(
        box_px=np.array([100, 20, 200, 220], np.float32),
        score=0.9,
        crop=crop,
        iuv=iuv,
        theta_rad=np.zeros((24, 3), np.float32),
        betas=np.zeros(10, np.float32),
        camera_crop=np.array([0.8, 0, 0], np.float32),
        translation_m=np.float32(translation_m),
        vertices_cam_m=vertices,
        joints_cam_m=joints,
        keypoints_px=camera.project(joints),
        focal_px=camera.focal_px,
        part_seen=np.zeros(24, np.float32),
        vertex_seen=vertex_seen(iuv, atlas, len(vertices)),
        part_confidence=np.zeros(24, np.float32),
    )


def panels_of(overlay: np.ndarray) -> list[np.ndarray]:
    """The five pictures without captions and gaps."""
    step = PANEL + draw.GAP
    return [overlay[draw.CAPTION_HEIGHT :, k * step : k * step + PANEL] for k in range(5)]


def colour_share(panel: np.ndarray, rgb: tuple[int, int, int]) -> float:
    """Share of pixels that have the hue of `rgb`, however shaded."""
    pixels = panel.reshape(-1, 3).astype(float)
    norms = np.linalg.norm(pixels, axis=1) * np.linalg.norm(rgb)
    return float((pixels @ np.float64(rgb) > 0.998 * np.maximum(norms, 1)).mean())


@pytest.fixture(scope="module")
def overlay(body) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    people = [standing(body, (0.4, 0.2, 6.0)), standing(body, (-0.4, 0.2, 7.5))]
    prediction = Prediction((WIDTH, HEIGHT), people)
    return draw.overlay_picture(picture, prediction, body.faces.numpy(), PANEL)


class TestOverlay:
    def test_size_is_five_panels_with_captions(self, overlay):
        assert overlay.shape == (HEIGHT + draw.CAPTION_HEIGHT, 5 * PANEL + 4 * draw.GAP, 3)

    def test_nearer_person_hides_the_farther_one(self, overlay):
        """Both at one place, drawn in either order."""
        body = BodyModel.load(None)
        near, far = standing(body, (0, 0.2, 4.5)), standing(body, (0, 0.2, 9.0))
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for people, on_top in (([near, far], 0), ([far, near], 1)):
            prediction = Prediction((WIDTH, HEIGHT), people)
            panel = panels_of(
                draw.overlay_picture(picture, prediction, body.faces.numpy(), PANEL)
            )[2]
            assert colour_share(panel, draw.PERSON_RGB[on_top]) > 0.05
            hidden = colour_share(panel, draw.PERSON_RGB[1 - on_top])
            assert hidden < 0.2 * colour_share(panel, draw.PERSON_RGB[on_top])

    def test_mesh_lies_on_the_projected_joints(self, body):
        person = standing(body, (0.3, 0.1, 6.0))
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for panel_px in (320, 160):
            overlay = draw.overlay_picture(
                picture, Prediction((WIDTH, HEIGHT), [person]), body.faces.numpy(), panel_px
            )
            step = max(panel_px, draw.MIN_PANEL_WIDTH) + draw.GAP
            pad = (max(panel_px, draw.MIN_PANEL_WIDTH) - panel_px) // 2
            panel = overlay[draw.CAPTION_HEIGHT :, 2 * step + pad : 2 * step + pad + panel_px]
            scale = panel_px / WIDTH
            joints_px = np.rint((person.keypoints_px + 0.5) * scale - 0.5).astype(int)
            assert (panel[joints_px[:, 1], joints_px[:, 0]].sum(1) > 0).all()
            rows, cols = np.nonzero(panel.sum(2))
            low, high = joints_px.min(0), joints_px.max(0)
            assert abs(cols.min() - low[0]) < 20 * scale
            assert abs(cols.max() - high[0]) < 20 * scale
            assert abs(rows.max() - high[1]) < 20 * scale

    def test_iuv_lies_on_the_mesh(self, overlay):
        photo, iuv, mesh, _, _ = panels_of(overlay)
        dimmed = (photo[0, -1] * 0.55).astype(np.uint8)
        on_iuv = (iuv != dimmed).any(2)
        on_mesh = (mesh != photo[0, -1]).any(2)
        assert (on_iuv & on_mesh).sum() > 0.85 * (on_iuv | on_mesh).sum()

    def test_front_of_the_body_is_seen_and_both_colours_appear_sideways(self, body):
        person = standing(body, (0, 0.2, 6.0))
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        half = replace(person, vertex_seen=person.vertices_cam_m[:, 0] > 0)
        overlay = draw.overlay_picture(
            picture, Prediction((WIDTH, HEIGHT), [half]), body.faces.numpy(), PANEL
        )
        panel = panels_of(overlay)[4]
        left, right = panel[:, : PANEL // 2 - 4], panel[:, PANEL // 2 + 4 :]
        assert colour_share(left, draw.COMPLETED_RGB) > 0.02
        assert colour_share(right, draw.SEEN_RGB) > 0.02
        assert colour_share(left, draw.SEEN_RGB) == 0
        assert colour_share(right, draw.COMPLETED_RGB) == 0

    def test_side_view_shows_a_facing_person_look_to_the_left(self, body):
        """The toes point to the camera, which is on the left of the side view."""
        person = standing(body, (0, 0.2, 6.0))
        turned = draw._centred(person, side=True)
        toes = person.vertices_cam_m[:, 2].argmin()
        assert turned[toes, 0] == turned[:, 0].min() < 0

    @pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 1000)])
    def test_nobody_in_a_picture_of_any_shape(self, size, body):
        picture = np.zeros((*size, 3), np.uint8)
        prediction = Prediction((size[1], size[0]))
        overlay = draw.overlay_picture(picture, prediction, body.faces.numpy(), PANEL)
        assert overlay.shape[0] <= PANEL + draw.CAPTION_HEIGHT
        assert draw.MIN_PANEL_WIDTH <= overlay.shape[1] <= PANEL

    def test_many_people_and_one_partly_behind_the_camera(self, body):
        people = [standing(body, (x / 3, 0.2, 3 + x)) for x in range(10)]
        behind = people[0].vertices_cam_m - np.float32([0, 0, 2])
        people[0] = replace(people[0], vertices_cam_m=behind)
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        prediction = Prediction((WIDTH, HEIGHT), people)
        draw.overlay_picture(picture, prediction, body.faces.numpy(), PANEL)

    def test_other_picture_is_refused(self, body):
        with pytest.raises(ValueError, match="picture"):
            draw.overlay_picture(
                np.zeros((5, 6, 3), np.uint8), Prediction((5, 6)), body.faces.numpy()
            )


class TestContactSheet:
    def test_pictures_fit_their_cells(self):
        wide, high = np.zeros((10, 80, 3), np.uint8), np.zeros((80, 10, 3), np.uint8)
        sheet = draw.contact_sheet([wide, high, wide], 2, (40, 20))
        assert sheet.shape == (40, 80, 3)
        black = (sheet == 0).all(2)
        assert black[:5, :40].all() and not black[5:20, :40].any()
        assert black[:20, 40:42].all() and not black[:20, 43:].any()
        assert black[20:25, :40].all() and not black[20:, 40:].any()

    def test_nothing_gives_an_empty_row(self):
        assert draw.contact_sheet([], 2, (40, 20)).shape == (20, 80, 3)
