"""Writes tiny files in the data sets' own formats, of people whose truth is known.

The inverse of the readers, written independently of them: what a reader undoes (world frames,
scales, units, packing) is done here from the formats' descriptions.
"""

import json
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from dimr.body.camera import PerspectiveCamera, weak_to_translation
from dimr.body.keypoints import COCO17_NAMES
from dimr.body.model import BodyModel
from dimr.data.real.joints import JOINT_SETS
from dimr.data.synthetic.people import SyntheticPeople
from dimr.image.crop import picture_centre_px
from dimr.surface.atlas import Atlas
from dimr.types import Crop

FOCAL_PER_SIDE = 1.7
GENDER_SCALES = {"NEUTRAL": 1.0, "MALE": 1.06, "FEMALE": 0.95}


@dataclass
class Person:
    """A synthetic person in a picture of their own, through a pinhole camera."""

    image: np.ndarray
    mask: np.ndarray
    """Visible pixels."""
    theta: np.ndarray
    """(24, 3), root to camera axes."""
    betas: np.ndarray
    translation: np.ndarray
    """In camera axes."""
    intrinsics: np.ndarray
    vertices: np.ndarray
    """Camera axes, translation zero; of the body that drew it."""
    joints: np.ndarray
    keypoints: dict = field(default_factory=dict)
    """COCO's names and neck, head_top -> camera-axes metres with translation zero."""

    def project(self, points):
        placed = (points + self.translation) @ self.intrinsics.T
        return placed[..., :2] / placed[..., 2:]

    def rows(self, set_name, columns):
        """(K, columns + 1): px (2) or metres (3) of a set's joints; confidence 0 where unknown."""
        rows = np.zeros((len(JOINT_SETS[set_name]), columns + 1))
        for row, name in zip(rows, JOINT_SETS[set_name], strict=True):
            if name in self.keypoints:
                point = self.keypoints[name]
                row[:columns] = self.project(point) if columns == 2 else point
                row[columns] = 1
        return rows

    @property
    def box(self):
        points = self.project(self.vertices)
        return np.concatenate([points.min(0), points.max(0)])


def make_people(body: BodyModel, atlas, count: int, size: int = 96, seed: int = 3) -> list[Person]:
    generator = SyntheticPeople(body, atlas, size=size, seed=seed)
    people = []
    for index in range(count):
        sample = generator.crop_sample(index)
        centre = picture_centre_px(size, size)
        camera = PerspectiveCamera(FOCAL_PER_SIDE * size, centre)
        crop = Crop(centre, float(size), size)
        translation = weak_to_translation(sample.camera, crop, camera, sample.joints_m[0])
        people.append(
            pose_person(
                body,
                Rotation.from_matrix(sample.rotmats).as_rotvec().astype(np.float32),
                sample.betas,
                translation,
                camera,
                sample.image,
                sample.person_id == 0,
            )
        )
    return people


def pose_person(body, theta, betas, translation, camera, image, mask) -> Person:
    rotmats = torch.from_numpy(Rotation.from_rotvec(theta).as_matrix().astype(np.float32))
    posed = body(rotmats[None], torch.from_numpy(betas)[None])
    x, y = camera.principal_px
    named = dict(
        zip(COCO17_NAMES, body.keypoints(posed.vertices_m, "coco17")[0].numpy(), strict=True)
    )
    lsp = body.keypoints(posed.vertices_m, "lsp14")[0].numpy()
    named |= {"neck": lsp[12], "head_top": lsp[13]}
    return Person(
        image=image,
        mask=mask,
        theta=theta,
        betas=betas,
        translation=translation,
        intrinsics=np.array([[camera.focal_px, 0, x], [0, camera.focal_px, y], [0, 0, 1]]),
        vertices=posed.vertices_m[0].numpy(),
        joints=posed.joints_m[0].numpy(),
        keypoints=named,
    )


def write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def dump(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def write_body_files(folder: Path, body: BodyModel, atlas: Atlas | None = None) -> None:
    """The open body as SMPL_*.pkl with its H36M regressor; men are taller, women smaller.

    With an atlas, its map, too, in MMHuman3D's format.
    """
    parents = np.array(body.parents, np.int64)
    for gender, scale in GENDER_SCALES.items():
        content = {
            "v_template": body.v_template.double().numpy() * scale,
            "shapedirs": body.shapedirs.double().numpy(),
            "J_regressor": scipy.sparse.csc_matrix(body.J_regressor.double().numpy()),
            "kintree_table": np.stack([parents % 2**32, np.arange(24)]).astype(np.uint32),
            "weights": body.weights.double().numpy(),
            "f": body.faces.numpy().astype(np.uint32),
            "bs_type": "lrotmin",
            "bs_style": "lbs",
        }
        dump(folder / f"SMPL_{gender}.pkl", content)
    np.save(folder / "J_regressor_h36m.npy", body.J_regressor_h36m17.numpy())
    if atlas is not None:
        uv = {"verts_uv": atlas.uv_vertices, "faces_uv": atlas.uv_faces}
        np.savez(folder / "smpl_uv.npz", **uv, faces=atlas.faces.astype(np.int64))


def random_cameras(count: int):
    """World -> camera: rotations and translations."""
    draw = np.random.default_rng(5)
    return Rotation.random(count, random_state=7).as_matrix(), draw.normal(size=(count, 3))


def write_pw3d(
    root: Path,
    actors: list[list[Person]],
    body: BodyModel,
    sequence: str = "downtown_bus_00",
    split: str = "test",
    genders: str = "mf",
    invalid: Collection[tuple[int, int]] = (),
    unseen: Collection[tuple[int, int]] = (),
    pictures: bool = True,
) -> None:
    """One sequence; all actors have as many frames. `body` is whose pelvis theta turns around.

    `invalid` are the (actor, frame) without a camera pose, `unseen` those without 2D joints.
    """
    num = len(actors[0])
    rotations, shifts = random_cameras(num)
    cam_poses = np.tile(np.eye(4), (num, 1, 1))
    cam_poses[:, :3, :3], cam_poses[:, :3, 3] = rotations, shifts
    content = {
        "sequence": sequence,
        "cam_poses": cam_poses,
        "cam_intrinsics": actors[0][0].intrinsics,
        "img_frame_ids": np.arange(num),
        "texture_maps": [],
    }
    names = "betas poses trans genders poses2d jointPositions campose_valid".split()
    content |= {name: [] for name in names}
    for number, people in enumerate(actors):
        poses, trans, joints, points = [], [], [], []
        # the real files hold one shape for each actor
        for person, R, t in zip(people, rotations, shifts, strict=True):
            pelvis = body.joints_rest(torch.from_numpy(person.betas)[None])[0, 0].numpy()
            poses.append(world_theta(person, R).reshape(72))
            trans.append(R.T @ (person.translation + pelvis - t) - pelvis)
            joints.append(((person.joints + person.translation - t) @ R).reshape(72))
            points.append(person.rows("openpose18", 2).T)
        valid = [(number, frame) not in invalid for frame in range(num)]
        for frame in range(num):
            points[frame] *= (number, frame) not in unseen
        content["betas"].append(people[0].betas.astype(np.float64))
        content["poses"].append(np.array(poses))
        content["trans"].append(np.array(trans))
        content["genders"].append(genders[number])
        content["poses2d"].append(np.array(points))
        content["jointPositions"].append(np.array(joints))
        content["campose_valid"].append(np.array(valid, np.int64))
    dump(root / "sequenceFiles" / split / f"{sequence}.pkl", content)
    for frame, person in enumerate(actors[0] if pictures else []):
        write_picture(root / "imageFiles" / sequence / f"image_{frame:05d}.jpg", person.image)


def world_theta(person: Person, R: np.ndarray) -> np.ndarray:
    """theta with a root that maps to the world of a camera with rotation R."""
    theta = person.theta.astype(np.float64).copy()
    root = R.T @ Rotation.from_rotvec(theta[0]).as_matrix()
    theta[0] = Rotation.from_matrix(root).as_rotvec()
    return theta


def write_doh(folder: Path, people: list[Person], with_masks: bool = True) -> None:
    rotations, shifts = random_cameras(len(people))
    content = {}
    for index, (person, R, t) in enumerate(zip(people, rotations, shifts, strict=True)):
        extrinsics = np.eye(4)
        extrinsics[:3, :3], extrinsics[:3, 3] = R, t
        theta = world_theta(person, R)
        placed = person.joints + person.translation
        x0, y0, x1, y1 = person.box.tolist()
        entry = {
            "img_path": f"images\\{index:05d}.jpg",
            "bbox": [[x0, y0], [x1, y1]],
            "pose": theta.reshape(-1).tolist(),
            "betas": person.betas.tolist(),
            "trans": [0.0, 0.0, 0.0],
            "scale": 1.0,
            "intri": person.intrinsics.tolist(),
            "extri": extrinsics.tolist(),
            "smpl_joints_2d": person.project(person.joints).tolist(),
            "smpl_joints_3d": ((placed - t) @ R).tolist(),
        }
        write_picture(folder / "images" / f"{index:05d}.jpg", person.image)
        if with_masks:
            entry["mask_path"] = f"masks\\{index:05d}.png"
            mask = np.repeat(person.mask[..., None], 3, axis=2).astype(np.uint8) * 255
            write_picture(folder / "masks" / f"{index:05d}.png", mask)
        content[f"{index:05d}"] = entry
    (folder / "annots.json").write_text(json.dumps(content))


def spin_columns(people: list[Person], names: list[str]) -> dict[str, np.ndarray]:
    boxes = np.array([person.box for person in people])
    return {
        "imgname": np.array(names),
        "center": (boxes[:, :2] + boxes[:, 2:]) / 2,
        "scale": 1.2 * (boxes[:, 2:] - boxes[:, :2]).max(1) / 200,
        "part": np.array([person.rows("spin24", 2) for person in people]),
        "S": np.array([person.rows("spin24", 3) for person in people]),
        "pose": np.array([person.theta.reshape(72) for person in people]),
        "shape": np.array([person.betas for person in people]),
        "has_smpl": np.ones(len(people)),
        "gender": np.array(["m", "f"] * len(people))[: len(people)],
    }


def write_spin(path: Path, people: list[Person], **changes) -> None:
    """Pictures lie in images/ beside it; changes of None leave a column out."""
    names = [f"S1_Directions_1.54138969_{1 + 5 * index:06d}.jpg" for index in range(len(people))]
    for name, person in zip(names, people, strict=True):
        write_picture(path.parent / "images" / name, person.image)
    columns = {**spin_columns(people, names), **changes}
    kept = {name: column for name, column in columns.items() if column is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **kept)


def write_mosh(folder: Path, people: list[Person]) -> None:
    """MoSh's root is the camera's turned by pi about x; row k is frame 5 k."""
    poses = np.array([person.theta.astype(np.float64) for person in people])
    flip = Rotation.from_rotvec([np.pi, 0, 0])
    poses[:, 0] = (Rotation.from_rotvec(poses[:, 0]) * flip.inv()).as_rotvec()
    content = {"new_poses": poses.reshape(-1, 72), "betas": people[0].betas.astype(np.float64)}
    dump(folder / "S1" / "Directions_1_cam0_aligned.pkl", content)


def write_muco(folder: Path, people: list[Person]) -> None:
    images, annotations, fits = [], [], {}
    for index, person in enumerate(people):
        name = f"augmented_set/{index:03d}.jpg"
        write_picture(folder / "images" / name, person.image)
        K = person.intrinsics
        height, width = person.image.shape[:2]
        images.append(
            {"id": 10 + index, "width": width, "height": height, "file_name": name,
             "f": [K[0, 0], K[1, 1]], "c": [K[0, 2], K[1, 2]]}
        )  # fmt: skip
        x0, y0, x1, y1 = person.box.tolist()
        points = person.rows("muco21", 2)
        places = person.rows("muco21", 3)
        annotations.append(
            {
                "id": 100 + index,
                "image_id": 10 + index,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "keypoints_img": points[:, :2].tolist(),
                "keypoints_cam": ((places[:, :3] + person.translation) * 1000).tolist(),
                "keypoints_vis": [bool(known) or k == 14 for k, known in enumerate(points[:, 2])],
            }
        )
        fits[str(100 + index)] = {
            "pose": person.theta.reshape(-1).tolist(),
            "shape": person.betas.tolist(),
            "trans": person.translation.tolist(),
        }
    (folder / "MuCo-3DHP.json").write_text(
        json.dumps({"images": images, "annotations": annotations})
    )
    (folder / "smpl_param.json").write_text(json.dumps(fits))


def mask_polygons(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines in COCO's pixels (pixel k reaches from k to k + 1), pixel by pixel."""
    polygons = []
    for y, x in np.argwhere(mask):
        polygons.append([x, y, x + 1, y, x + 1, y + 1, x, y + 1])
    return [[float(value) for value in polygon] for polygon in polygons]


def write_eft(folder: Path, people: list[Person]) -> None:
    entries, annotations = [], []
    for index, person in enumerate(people):
        name = f"COCO_train2014_{index:012d}.jpg"
        write_picture(folder / "train2014" / name, person.image)
        centre = (person.box[:2] + person.box[2:]) / 2
        side = 1.2 * (person.box[2:] - person.box[:2]).max()
        points = person.rows("spin49", 2)
        # the weak camera that fits the joints best, in the window, s (X + t)
        joints, pixels = person.joints[:, :2], person.project(person.joints)
        norm = (pixels - centre) / (side / 2)
        system = np.zeros((48, 3))
        system[:, 0] = joints.reshape(-1)
        system[0::2, 1] = system[1::2, 2] = 1
        s, a, b = np.linalg.lstsq(system, norm.reshape(-1), rcond=None)[0]
        entries.append(
            {
                "parm_pose": Rotation.from_rotvec(person.theta).as_matrix().tolist(),
                "parm_shape": person.betas.tolist(),
                "parm_cam": [s, a / s, b / s],
                "bbox_scale": side / 200,
                "bbox_center": centre.tolist(),
                "gt_keypoint_2d": points.tolist(),
                "annotId": 500 + index,
                "imageName": name,
            }
        )
        annotations.append(
            {"id": 500 + index, "image_id": index, "category_id": 1,
             "segmentation": mask_polygons(person.mask)}
        )  # fmt: skip
    (folder / "COCO2014-All-ver01.json").write_text(json.dumps({"ver": 0.1, "data": entries}))
    (folder / "instances_train2014.json").write_text(json.dumps({"annotations": annotations}))


def ochuman_annotation(person: Person, states: Mapping[str, int]) -> dict:
    height, width = person.image.shape[:2]
    rows = person.rows("ochuman19", 2)
    for name, state in states.items():
        rows[JOINT_SETS["ochuman19"].index(name), 2] = state
    return {
        "bbox": person.box.tolist(),
        "keypoints": rows.reshape(-1).tolist(),
        "segms": {
            "outer": mask_polygons(person.mask),
            "inner": [],
            "height": height,
            "width": width,
        },
        "max_iou": 0.6,
    }


def write_ochuman(
    folder: Path,
    people: list[Person],
    neighbours: Collection[Person] = (),
    states: Mapping[str, int] = {},
) -> None:
    """Each person in a picture of their own, with somebody who has no labels.

    Args:
        folder: Where to.
        people: Whose pictures.
        neighbours: Labelled, too, in every picture.
        states: Joint -> the third number of `people`'s keypoints, where it is not 1.
    """
    images = []
    for index, person in enumerate(people):
        name = f"{index:06d}.jpg"
        write_picture(folder / "images" / name, person.image)
        height, width = person.image.shape[:2]
        images.append(
            {
                "image_id": f"{index:06d}",
                "file_name": name,
                "width": width,
                "height": height,
                "annotations": [
                    ochuman_annotation(person, states),
                    *(ochuman_annotation(each, {}) for each in neighbours),
                    {"bbox": [0, 0, 5, 5], "keypoints": None, "segms": None, "max_iou": 0.6},
                ],
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ochuman.json").write_text(json.dumps({"images": images, "keypoint_names": []}))


def write_human_data(path: Path, people: list[Person], compressed: bool = True) -> None:
    names = [f"a/{index}.jpg" for index in range(len(people))]
    for name, person in zip(names, people, strict=True):
        write_picture(path.parent / "images" / name, person.image)
    boxes = np.array([person.box for person in people])
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, 1.2 * (boxes[:, 2:] - boxes[:, :2]).max(1)
    xywh = np.column_stack([middle - side[:, None] / 2, side, side, np.ones(len(people))])
    points = np.array([person.rows("human_data190", 2) for person in people])
    places = np.array([person.rows("human_data190", 3) for person in people])
    mask = (points[..., 2] > 0).any(0)
    theta = np.array([person.theta for person in people])
    np.savez_compressed(
        path,
        image_path=names,
        bbox_xywh=xywh,
        keypoints2d=points[:, mask] if compressed else points,
        keypoints3d=places[:, mask] if compressed else places,
        keypoints2d_mask=mask.astype(np.uint8),
        keypoints3d_mask=mask.astype(np.uint8),
        smpl={
            "global_orient": theta[:, 0],
            "body_pose": theta[:, 1:],
            "betas": np.array([person.betas for person in people]),
            "transl": np.array([person.translation for person in people]),
        },
        meta={"gender": np.array(["f"] * len(people))},
        config="tiny",
        __keypoints_compressed__=compressed,
    )


def write_voc(root: Path, name: str = "2007_000001") -> None:
    """One picture of VOC2012 with a usable object, and four that the rules leave out."""
    things = [  # name, difficult, truncated, box
        ("person", 0, 0, (0, 0, 40, 40)),
        ("chair", 0, 0, (50, 10, 110, 50)),
        ("chair", 1, 0, (0, 60, 40, 100)),
        ("sofa", 0, 1, (50, 60, 110, 100)),
        ("bottle", 0, 0, (112, 0, 122, 10)),
    ]
    labels = np.zeros((120, 130), np.uint8)
    image = np.zeros((120, 130, 3), np.uint8)
    objects = ""
    for number, (kind, difficult, truncated, (x0, y0, x1, y1)) in enumerate(things, start=1):
        labels[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = number
        image[y0:y1, x0:x1] = (10, 200, 30)
        objects += (
            f"<object><name>{kind}</name><difficult>{difficult}</difficult>"
            f"<truncated>{truncated}</truncated><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
            f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        )
    for folder in ("Annotations", "JPEGImages", "SegmentationObject"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    text = f"<annotation><segmented>1</segmented>{objects}</annotation>"
    (root / "Annotations" / f"{name}.xml").write_text(text)
    Image.fromarray(image).save(root / "JPEGImages" / f"{name}.jpg", quality=100, subsampling=0)
    palette = Image.fromarray(labels).convert("P")
    palette.putpalette(list(range(256)) * 3)
    palette.save(root / "SegmentationObject" / f"{name}.png")
