"""Pictures that can be recognised and pictures that cannot, made from portraits: one folder per way of spoiling them."""

from pathlib import Path

import cv2
import numpy


def blurred(sigma):
    return lambda picture: cv2.GaussianBlur(picture, (0, 0), sigma)


def smeared(length):
    return lambda picture: cv2.filter2D(picture, -1, numpy.ones((1, length)) / length)


def coarse(scale):
    def spoil(picture):
        height, width = picture.shape[:2]
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)

    return spoil


def leaning(degrees):
    def spoil(picture):
        height, width = picture.shape[:2]
        return cv2.warpAffine(picture, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), (width, height))

    return spoil


WAYS = {
    "upright": lambda picture: picture,
    "quarter": lambda picture: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
    "half": lambda picture: cv2.rotate(picture, cv2.ROTATE_180),
    "three_quarters": lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "grey": lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "dark": lambda picture: (picture * 0.15).astype(numpy.uint8),
    "leaning_60": leaning(60),
    "blurred_4": blurred(4),
    "blurred_6": blurred(6),
    "blurred_8": blurred(8),
    "smeared_31": smeared(31),
    "coarse_10": coarse(0.1),
    "coarse_7": coarse(0.07),
}


def make(portraits: list[Path], folder: Path, ways: list[str]) -> None:
    """Writes every portrait in every way to ``folder/WAY/PERSON/FILE``."""
    for path in portraits:
        picture = cv2.imread(str(path))
        for way in ways:
            target = folder / way / path.parent.name / path.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(target), WAYS[way](picture), [cv2.IMWRITE_JPEG_QUALITY, 95])
