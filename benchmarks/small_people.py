"""How small people may be in a large photograph and still be found.

    python benchmarks/small_people.py --street FOLDER --backgrounds FOLDER/val [--limit 12]

People of street photographs (cut out by their masks, as REALVAL's but not its validation ones) are
pasted so many pixels tall into photographs without people, enlarged to 1280 x 960. Printed are the
share of them who are found with a score that `dimr predict` shows and a mask IoU over .5, the mean
IoU, people who are shown on a picture, and seconds for it on one core; once with MoveNet shown
256 px alone.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from dimr.commands.predict import MIN_SCORE
from dimr.correspondence import sightings
from dimr.evaluate.photos import EVERY, street_numbers
from dimr.evaluate.synthetic import mask_iou
from dimr.image.crop import box_pixels, mask_box_px
from dimr.image.load import list_pictures, load_picture
from dimr.predict import load

SIZE = (1280, 960)
HEIGHTS_PX = (480, 240, 120, 60, 48)
REMAINDER = 11
"""Of the photographs' numbers by `EVERY`."""


def paste(
    background: np.ndarray, street: Path, number: str, height_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """A picture of `SIZE` with somebody so tall, and their mask."""
    picture = cv2.resize(background, SIZE, interpolation=cv2.INTER_CUBIC)
    person = load_picture(street / "images" / f"{number}.jpg")
    mask = load_picture(street / "mask" / f"{number}.png")[..., 0] > 0
    around = box_pixels(mask_box_px(mask), mask.shape)
    height, width = mask[around].shape
    size = max(1, round(height_px / height * width)), height_px
    person = cv2.resize(person[around], size, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(mask[around].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(int(number))
    left = rng.integers(SIZE[0] - size[0])
    top = rng.integers(SIZE[1] // 4, SIZE[1] - size[1])
    place = np.s_[top : top + size[1], left : left + size[0]]
    picture[place] = person * alpha[..., None] + picture[place] * (1 - alpha[..., None])
    truth = np.zeros(picture.shape[:2], bool)
    truth[place] = alpha > 0.5
    return picture, truth


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--street", type=Path, required=True, help="images/ID.jpg, mask/ID.png")
    parser.add_argument("--backgrounds", type=Path, required=True, help="photos without people")
    parser.add_argument("--limit", type=int, default=12, help="people")
    parser.add_argument("--weights", default="open")
    options = parser.parse_args()
    torch.set_num_threads(1)
    stage1 = load(options.weights).stage1
    backgrounds = list_pictures(options.backgrounds)
    numbers = street_numbers(options.street, validation=False)
    numbers = [each for each in numbers if int(each) % EVERY == REMAINDER][: options.limit]
    table = Table("MoveNet is shown", "px tall", "found", "mask IoU", "shown", "s", box=MARKDOWN)
    for sides_px in (sightings.SIDES_PX[:1], sightings.SIDES_PX):
        sightings.SIDES_PX = sides_px
        for height_px in HEIGHTS_PX:
            ious, shown, seconds = [], 0, 0.0
            for row, number in enumerate(numbers):
                background = load_picture(backgrounds[7 * row % len(backgrounds)])
                picture, truth = paste(background, options.street, number, height_px)
                start = time.perf_counter()
                people = stage1.find_people(picture)
                seconds += time.perf_counter() - start
                people = [each for each in people if each.score >= MIN_SCORE]
                shown += len(people)
                ious.append(max((mask_iou(each.mask, truth) for each in people), default=0.0))
            table.add_row(
                ", ".join(map(str, sides_px)),
                str(height_px),
                f"{np.mean(np.array(ious) > 0.5):.2f}",
                f"{np.mean(ious):.2f}",
                f"{shown / len(ious):.2f}",
                f"{seconds / len(ious):.1f}",
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
