"""What a clip is made of: shots, people on paths, pillars; and where a face is at a time."""

from dataclasses import dataclass, field

import numpy as np

FPS = 25


@dataclass
class Path:
    """Key points (seconds, x, y, face width), x and y as parts of the picture's sides, width in pixels of a 1280 wide picture."""

    keys: list

    def at(self, times):
        """Rows (x, y, width) at `times`: straight between the key points, corners rounded over half a second, and a walker's bob."""
        times = np.atleast_1d(np.asarray(times, float))
        keys = np.array(self.keys, float)
        spread = np.linspace(-0.3, 0.3, 13)
        weights = np.exp(-0.5 * (spread / 0.13) ** 2)
        weights /= weights.sum()
        around = times[:, None] + spread[None]
        x, y, width = (np.interp(around, keys[:, 0], keys[:, column]) @ weights for column in (1, 2, 3))
        phase = 2 * np.pi * 1.7 * times + keys[0, 1] * 40
        x = x + 0.03 * width / 1280 * np.sin(phase / 2)
        y = y + 0.025 * width / 720 * np.sin(phase)
        return np.stack([x, y, width], axis=1)


@dataclass
class Appearance:
    """One person between entering and leaving (or between cuts): one photo, one path. No photo: somebody seen from behind."""

    person: str | None
    photo: object | None
    start: float
    end: float
    path: Path
    tilt: float = 4.0  # degrees, how far the head leans to and fro
    seed: int = 0

    def state(self, time):
        """(x, y, width) at a time and the way per second there, as parts of the picture."""
        before, now, after = self.path.at([time - 0.02, time, time + 0.02])
        return now, (after - before)[:2] / 0.04

    def lean(self, time):
        """Degrees of rotation and factor of brightness: slow, smooth, each appearance its own."""
        turn = self.tilt * (0.7 * np.sin(2 * np.pi * 0.35 * time + self.seed) + 0.3 * np.sin(2 * np.pi * 0.9 * time + 2.1 * self.seed))
        light = 0.97 + 0.1 * np.sin(2 * np.pi * 0.13 * time + 1.7 * self.seed)
        return float(turn), float(light)


@dataclass
class Pillar:
    """An upright from top to bottom; hides whoever has a face narrower than `depth`."""

    x: float
    width: float
    depth: float


@dataclass
class Shot:
    start: float
    end: float
    background: str
    mirrored: bool
    crop: tuple  # x and y of the window's start, x and y of its end, zoom at both: parts of what is spare
    people: list = field(default_factory=list)
    pillars: list = field(default_factory=list)


@dataclass
class Clip:
    kind: str
    seed: int
    seconds: float
    shots: list
    cast: list  # names in the order of their ids 1, 2, 3 ...
    enrolled: dict  # name -> photos to enrol
    dark: list = field(default_factory=list)  # (start, end, brightness)

    def brightness(self, time):
        level = 1.0
        for start, end, floor in self.dark:
            ramp = np.clip(min(time - start, end - time) / 0.4, 0, 1)
            level = min(level, 1 - (1 - floor) * ramp)
        return float(level)
