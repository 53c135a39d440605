"""People to compose: which photos there are, and a person cut out of a portrait with a body drawn below it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
SIDE = 250  # of an LFW photo
HEIGHT = 1150  # of a whole person in photo pixels: seven heads and a half
# Where scrfd_2.5g frames the face of a deep-funneled LFW photo on average (1,458 photos with one face): centre and size in pixels.
# people.tsv has the box of each photo, which is used; this is the yardstick of the drawn parts.
MEAN_BOX = (125.9, 126.6, 95.6, 131.3)


@dataclass(frozen=True)
class Photo:
    name: str
    number: int
    box: tuple  # x1, y1, x2, y2 in the photo

    def path(self, lfw):
        return Path(lfw) / "images" / self.name / f"{self.name}_{self.number:04}.jpg"


def people():
    """{name: [Photo, ...]} of people.tsv, in its order."""
    table = {}
    for line in (HERE / "people.tsv").read_text().splitlines():
        name, *photos = line.split("\t")
        table[name] = [Photo(name, int(n), tuple(map(float, box.split(",")))) for n, box in (p.split(":") for p in photos)]
    return table


@lru_cache(maxsize=64)
def cut_out(path):
    """A standing person, BGRA, 250 x 1150, from the portrait at `path`: head and shoulders of the photo, clothes continued downward."""
    photo = cv2.imread(str(path))
    if photo is None:
        raise SystemExit(f"no photo at {path}: --lfw names the folder with LFW's `images`")
    mask = matte(photo)
    colour, cover = body(photo, mask)
    top = np.zeros((HEIGHT, SIDE, 3), np.float32)
    top[:SIDE] = photo
    weight = np.zeros((HEIGHT, SIDE, 1), np.float32)
    fade = np.clip((SIDE - 4 - np.arange(SIDE)) / 14, 0, 1)  # the photo's lower edge goes over into the drawn body
    weight[:SIDE, :, 0] = mask * fade[:, None]
    alpha = weight + cover * (1 - weight)
    mixed = (top * weight + colour * cover * (1 - weight)) / np.maximum(alpha, 1e-3)
    return np.dstack([mixed, alpha * 255]).round().clip(0, 255).astype(np.uint8)


def matte(photo):
    """Soft mask of head and shoulders: GrabCut from a portrait's usual shape, and always an ellipse around the head for the hair."""
    labels = np.full(photo.shape[:2], cv2.GC_BGD, np.uint8)
    for label, head, chest in ((cv2.GC_PR_BGD, (70, 92), (112, 80)), (cv2.GC_PR_FGD, (56, 76), (95, 75))):
        cv2.ellipse(labels, (125, 118), head, 0, 0, 360, label, -1)
        cv2.ellipse(labels, (125, 272), chest, 0, 0, 360, label, -1)
    cv2.ellipse(labels, (125, 128), (42, 60), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.rectangle(labels, (98, 185), (152, SIDE - 1), cv2.GC_FGD, -1)
    cv2.setRNGSeed(1)
    cv2.grabCut(photo, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
    cv2.ellipse(person, (125, 116), (50, 70), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(person.astype(np.float32), (0, 0), 3)


def body(photo, mask):
    """Colour and mask of a body in the colour of the clothes, with legs, 1150 rows high."""
    band = photo[215:240, 60:190].reshape(-1, 3)
    covered = mask[215:240, 60:190].reshape(-1) > 0.6
    cloth = np.median(band[covered] if covered.sum() > 200 else band, axis=0).astype(np.float32)
    cover = np.zeros((HEIGHT, SIDE), np.float32)
    outline = [(100, 195), (150, 195), (205, 238), (218, 330), (205, 620), (192, 640), (186, 1140), (134, 1140), (125, 700),
               (116, 1140), (64, 1140), (58, 640), (45, 620), (32, 330), (45, 238)]
    cv2.fillPoly(cover, [np.array(outline, np.int32)], 1.0)
    cover = cv2.GaussianBlur(cover, (0, 0), 3)[..., None]
    # Folds: low noise, the same for the same photo; trousers darker than the jacket; darker towards the sides.
    folds = np.random.default_rng(int(cloth.sum())).normal(0, 1, (HEIGHT // 10, SIDE // 10)).astype(np.float32)
    folds = cv2.resize(folds, (SIDE, HEIGHT), interpolation=cv2.INTER_CUBIC) * 7
    shade = np.where(np.arange(HEIGHT) < 640, 1.0, 0.6)[:, None] * (1 - 0.35 * np.abs(np.linspace(-1, 1, SIDE))[None] ** 2)
    return (cloth * shade[..., None] + folds[..., None]).astype(np.float32), cover


@lru_cache(maxsize=16)
def turned_away(seed):
    """Somebody seen from behind: hair and clothes, no face. BGRA, 250 x 1150."""
    rng = np.random.default_rng(seed)
    photo = np.zeros((SIDE, SIDE, 3), np.float32) + rng.uniform(20, 160, 3).astype(np.float32)
    colour, cover = body(photo, np.ones((SIDE, SIDE), np.float32))
    hair = np.zeros((HEIGHT, SIDE), np.float32)
    cv2.ellipse(hair, (125, 112), (55, 76), 0, 0, 360, 1.0, -1)
    cv2.rectangle(hair, (98, 150), (152, 205), 1.0, -1)
    hair = cv2.GaussianBlur(hair, (0, 0), 4)[..., None]
    strands = cv2.GaussianBlur(rng.normal(0, 60, (HEIGHT, SIDE)).astype(np.float32), (0, 0), sigmaX=1.2, sigmaY=14)[..., None]
    tone = np.array([25, 35, 45], np.float32) * rng.uniform(0.7, 2.2) + strands
    alpha = hair + cover * (1 - hair)
    mixed = (tone * hair + colour * cover * (1 - hair)) / np.maximum(alpha, 1e-3)
    return np.dstack([mixed, alpha * 255]).round().clip(0, 255).astype(np.uint8)
