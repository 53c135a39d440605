"""Frames and their truth: backgrounds, people pasted far to near, what of each face is seen, the camera's own flaws."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from people import cut_out, turned_away
from scene import FPS

# Photos without people that two packages carry; read as files, the packages are not imported.
FILES = {"garage": "skimage/data/motorcycle_left.png", "park": "sklearn/datasets/images/china.jpg", "night": "skimage/data/rocket.jpg",
         "garden": "sklearn/datasets/images/flower.jpg", "table": "skimage/data/coffee.png", "wall": "skimage/data/brick.png"}
SPARE = 1.12  # the background is this much larger than the picture: room for the camera to pan and zoom
SHUTTER = 0.5  # part of a frame's time that it is exposed
# What truth leaves out, because nobody could be asked to see it: see README.md.
VISIBLE = 0.5  # part of the face box that is in the picture and not covered
GLIMPSE = 0.15  # between this and VISIBLE a detector may or may not see it: neither asked for nor held against anybody
NARROWEST = 20  # pixels of face width
SMEARED = 0.35  # length of the motion blur as part of the face width


@lru_cache(maxsize=8)
def background(name, width, height, mirrored):
    package, inside = FILES[name].split("/", 1)
    spec = find_spec(package)
    if spec is None:
        raise SystemExit(f"no package `{package}`: pip install --no-deps -r requirements.txt")
    image = cv2.imread(str(Path(spec.submodule_search_locations[0]) / inside))
    if name == "wall":  # a grey texture of paving: tinted like brick, mirrored sideways so that the bricks are of a wall's size
        image = np.hstack([image, image[:, ::-1]])
        image = (image * np.array([0.75, 0.9, 1.15])).clip(0, 255).astype(np.uint8)
    scale = SPARE * max(width / image.shape[1], height / image.shape[0])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return image[:, ::-1].copy() if mirrored else image


class Renderer:
    def __init__(self, clip, lfw, width=1280, height=720):
        self.clip, self.lfw, self.size = clip, lfw, (width, height)
        rng = np.random.default_rng([clip.seed, len(clip.shots), 77])
        self.rng = rng
        grain = rng.normal(0, 1, (height + 64, width + 64, 3)).astype(np.float32)
        self.grain = (0.6 * grain + 0.4 * grain.mean(axis=2, keepdims=True) * 1.7) * 3.2

    def frame(self, index):
        """Picture (BGR) and truth [(name, visible, x1, y1, x2, y2)] of a frame."""
        time = index / FPS
        shot = next((s for s in self.clip.shots if s.start - 1e-9 <= time < s.end - 1e-9), self.clip.shots[-1])
        picture = self.window(shot, time)
        layers = []
        for who in shot.people:
            if who.start <= time <= who.end:
                layers.append(self.person(who, time))
        layers += [self.pillar(p) for p in shot.pillars]
        layers = sorted((layer for layer in layers if layer), key=lambda layer: layer["depth"])
        truth = self.visible_faces(layers)
        for layer in layers:
            paste(picture, layer)
        return self.exposed(picture, time), truth

    def window(self, shot, time):
        width, height = self.size
        image = background(shot.background, width, height, shot.mirrored)
        part = (time - shot.start) / (shot.end - shot.start)
        x0, y0, x1, y1, z0, z1 = shot.crop
        zoom = 1 + 0.06 * (z0 + (z1 - z0) * part)
        wide, high = width * SPARE / zoom / 1.06, height * SPARE / zoom / 1.06
        left = (image.shape[1] - wide) * (x0 + 0.4 * (x1 - x0) * part)
        top = (image.shape[0] - high) * (y0 + 0.4 * (y1 - y0) * part)
        move = np.array([[width / wide, 0, -left * width / wide], [0, height / high, -top * height / high]])
        return cv2.warpAffine(image, move, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT).astype(np.float32)

    def person(self, who, time):
        """The person's pixels within the picture, premultiplied, and the box of the face; None when outside."""
        (x, y, face), (speed_x, speed_y) = who.state(time)
        width, height = self.size
        unit = width / 1280
        face = face * unit
        sprite = turned_away(who.seed) if who.photo is None else cut_out(who.photo.path(self.lfw))
        box = (78, 61, 174, 192) if who.photo is None else who.photo.box
        turn, light = who.lean(time)
        scale = face / (box[2] - box[0])
        centre_x, centre_y = x * width, y * height
        sprite, shrink = halved(sprite, scale)
        move = cv2.getRotationMatrix2D(((box[0] + box[2]) / 2 * shrink, (box[1] + box[3]) / 2 * shrink), turn, scale / shrink)
        move[:, 2] += (centre_x - (box[0] + box[2]) / 2 * shrink, centre_y - (box[1] + box[3]) / 2 * shrink)
        corners = np.array([[0, 0, 1], [sprite.shape[1], 0, 1], [0, sprite.shape[0], 1], [sprite.shape[1], sprite.shape[0], 1]]) @ move.T
        smear = np.array([speed_x * width, speed_y * height]) * SHUTTER / FPS
        length = float(np.hypot(*smear))
        pad = 2 + int(length)
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - pad, 0)
        right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + pad, (width, height))
        if right - left < 2 or bottom - top < 2:
            return None
        move[:, 2] -= (left, top)
        pixels = cv2.warpAffine(sprite, move, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR).astype(np.float32)
        if length > 1.5:
            pixels = cv2.filter2D(pixels, -1, streak(smear))
        pixels[..., :3] *= light
        high = face * (box[3] - box[1]) / (box[2] - box[0])
        frame_of_face = (centre_x - face / 2, centre_y - high / 2, centre_x + face / 2, centre_y + high / 2)
        sharp = face >= NARROWEST * unit and length <= SMEARED * face
        return {"depth": face / unit, "at": (int(left), int(top)), "pixels": pixels, "box": frame_of_face if who.person else None, "sharp": sharp,
                "name": who.person}

    def pillar(self, pillar):
        width, height = self.size
        wide, left = int(pillar.width * width), int((pillar.x - pillar.width / 2) * width)
        round_shade = np.sqrt(1 - np.linspace(-0.95, 0.95, wide) ** 2) * 0.75 + 0.25
        stone = self.grain[:height, :wide] * 2.0 + np.array([128, 140, 148], np.float32)
        pixels = np.dstack([stone * round_shade[None, :, None], np.full((height, wide), 255, np.float32)])
        return {"depth": pillar.depth, "at": (left, 0), "pixels": pixels.astype(np.float32), "box": None, "name": None}

    def visible_faces(self, layers):
        """Truth of the frame, nearest first: each box against what the nearer layers cover."""
        width, height = self.size
        covered = np.zeros((height, width), np.uint8)
        truth = []
        for layer in reversed(layers):
            if layer["box"]:
                x1, y1, x2, y2 = layer["box"]
                inner = [max(x1, 0), max(y1, 0), min(x2, width - 1), min(y2, height - 1)]
                if inner[2] > inner[0] and inner[3] > inner[1]:
                    inside = (inner[2] - inner[0]) * (inner[3] - inner[1]) / ((x2 - x1) * (y2 - y1))
                    a, b, c, d = (int(round(v)) for v in inner)
                    hidden = covered[b:d + 1, a:c + 1].mean()
                    part = inside * (1 - hidden)
                    if part >= GLIMPSE:
                        truth.append((layer["name"], bool(part >= VISIBLE and layer["sharp"]), *(round(float(v), 1) for v in inner)))
            left, top = layer["at"]
            alpha = layer["pixels"][..., 3]
            covered[top:top + alpha.shape[0], left:left + alpha.shape[1]] |= (alpha > 127).astype(np.uint8)
        return truth

    def exposed(self, picture, time):
        """Light, grain and the camera's own JPEG."""
        width, height = self.size
        dy, dx = self.rng.integers(0, 64, 2)
        picture = picture * self.clip.brightness(time) + self.grain[dy:dy + height, dx:dx + width]
        picture = picture.round().clip(0, 255).astype(np.uint8)
        return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1], cv2.IMREAD_COLOR)


def paste(picture, layer):
    left, top = layer["at"]
    pixels = layer["pixels"]
    alpha = pixels[..., 3:] / 255
    part = picture[top:top + pixels.shape[0], left:left + pixels.shape[1]]
    part += (pixels[..., :3] - part) * alpha


def halved(sprite, scale):
    """The sprite at the smallest half, quarter ... that is still at least as large as needed, so that sampling does not alias."""
    shrink = 1.0
    while scale / shrink < 0.6:
        shrink /= 2
    return (cv2.resize(sprite, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else sprite), shrink


def streak(smear):
    """Kernel of a motion blur along `smear` pixels."""
    reach = int(np.ceil(np.abs(smear).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for part in np.linspace(-0.5, 0.5, 4 * reach + 1):
        kernel[int(round(reach + part * smear[1])), int(round(reach + part * smear[0]))] += 1
    return kernel / kernel.sum()
