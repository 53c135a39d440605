"""The five kinds of clip: who walks where and when. Everything is drawn from one generator seeded by kind and seed."""

import numpy as np

from people import people
from scene import Appearance, Clip, Path, Pillar, Shot

KINDS = ("two_crossing", "five_walking", "three_scenes", "exits_returns", "crowd")
SEEDS = (1, 2)  # of the ten clips
BACKGROUNDS = ("garage", "garden", "park", "night", "table", "wall")
OUT = 0.14  # this far beyond the edge nobody is seen


class Casting:
    """Chooses people and hands out their photos: the first ones enrol, the others are shown in turn."""

    def __init__(self, rng, count, enrolled):
        table = people()
        self.names = [str(name) for name in rng.choice(sorted(table), count, replace=False)]
        self.rng = rng
        self.enrolled, self.shown, self.turn = {}, {}, {}
        for index, name in enumerate(self.names):
            photos = [table[name][i] for i in rng.permutation(len(table[name]))]
            if index < enrolled:
                kept = 3 if len(photos) >= 6 else 2
                self.enrolled[name], photos = photos[:kept], photos[kept:]
            self.shown[name], self.turn[name] = photos, 0

    def appear(self, name, start, end, keys, **more):
        photos = self.shown[name]
        photo = photos[self.turn[name] % len(photos)]
        self.turn[name] += 1
        return Appearance(name, photo, start, end, Path(keys), tilt=float(self.rng.uniform(2, 6)), seed=int(self.rng.integers(1 << 16)), **more)


def make(kind, seed):
    rng = np.random.default_rng([KINDS.index(kind), seed])
    return globals()[kind](rng, seed)


def shot(rng, start, end, background):
    return Shot(start, end, background, bool(rng.integers(2)), tuple(float(v) for v in rng.uniform(0, 1, 6)))


def finish(kind, seed, seconds, shots, casting, rng, dark=True):
    order = [casting.names[i] for i in rng.permutation(len(casting.names))]  # ids say nothing about who is enrolled
    begin = float(rng.uniform(0.3, 0.7) * seconds)
    return Clip(kind, seed, seconds, shots, order, casting.enrolled, [(begin, begin + 1.6, 0.4)] if dark else [])


def two_crossing(rng, seed):
    """Two people pass each other: briskly, slowly, only meeting, and one waiting unseen behind the other, who then goes on or turns back."""
    seconds, casting = 13.0, Casting(rng, 2, 1 + seed % 2)
    scene = shot(rng, 0, seconds, str(rng.choice(BACKGROUNDS)))
    first, second = [], []  # key points of the two, drawn together because they meet
    sides = [0.2, 0.8]
    near = int(rng.integers(2))

    def key(time, xs, ys=(0.37, 0.37)):
        widths = [rng.uniform(96, 122) if index == near else rng.uniform(62, 80) for index in (0, 1)]
        for keys, x, y, width in zip((first, second), xs, ys, widths):
            keys.append((time, float(x), float(y + rng.uniform(-0.02, 0.02)), float(width)))

    def rest(time):
        key(time, [side + rng.uniform(-0.06, 0.06) for side in sides])

    rest(0.0)
    for number, act in enumerate(rng.permutation(["brisk", "slow", "meet", "wait", "return"])):
        begin = 0.3 + 2.5 * number
        middle = rng.uniform(0.42, 0.58)
        if act == "meet":  # side by side, then back
            step = 0.05 if sides[0] < sides[1] else -0.05
            key(begin + 0.9, (middle - step, middle + step))
            key(begin + 1.4, (middle - step, middle + step))
        elif act in ("wait", "return"):  # the farther one stands behind the nearer one for most of a second
            key(begin + 0.8, (middle, middle), (0.36, 0.36))
            key(begin + 1.6, (middle, middle), (0.36, 0.36))
        elif act == "slow":
            step = 0.08 if sides[0] < sides[1] else -0.08
            key(begin + 0.6, (middle - step, middle + step))
            key(begin + 1.7, (middle + step, middle - step))
        if act not in ("meet", "return"):
            sides.reverse()
        rest(begin + 2.4)
        near = int(rng.integers(2))
    rest(seconds + 0.5)
    for name, keys in zip(casting.names, (first, second)):
        scene.people.append(casting.appear(name, 0.0, seconds, keys))
    return finish("two_crossing", seed, seconds, [scene], casting, rng)


def five_walking(rng, seed):
    """Five people at five depths walk to and fro behind pillars, and somebody turned away passes in front of them."""
    seconds, casting = 12.0, Casting(rng, 5, 3)
    scene = shot(rng, 0, seconds, str(rng.choice(("garage", "park", "wall", "garden"))))
    depths = np.array([46, 60, 74, 92, 112]) * rng.uniform(0.94, 1.06, 5)
    for index, lane in enumerate(rng.permutation(5)):
        width = depths[lane]
        y = 0.22 + 0.045 * lane + rng.uniform(-0.015, 0.015)
        left = bool(rng.integers(2))
        time, keys = 0.0, [(0.0, rng.uniform(0.1, 0.9), y, width)]
        while time < seconds:
            x = rng.uniform(0.06, 0.22) if left else rng.uniform(0.78, 0.94)
            pace = rng.uniform(0.13, 0.22) * (width / 75) ** 0.5  # picture widths a second: who is near crosses faster
            if index == 0 and time > 5:
                pace = 0.6  # a dash, with motion blur
            time += max(0.3, abs(x - keys[-1][1]) / pace)
            keys.append((time, x, y + rng.uniform(-0.015, 0.015), width * rng.uniform(0.92, 1.08)))
            left = not left
        scene.people.append(casting.appear(casting.names[index], 0.0, seconds, keys))
    scene.pillars = [Pillar(float(rng.uniform(0.26, 0.34)), 0.05, 84), Pillar(float(rng.uniform(0.64, 0.72)), 0.065, 100)]
    start, right = rng.uniform(2, 4), bool(rng.integers(2))
    ends = (-OUT, 1 + OUT) if right else (1 + OUT, -OUT)
    scene.people.append(Appearance(None, None, start, start + 5, Path([(start, ends[0], 0.4, 135), (start + 5, ends[1], 0.42, 140)]),
                                   seed=int(rng.integers(1 << 16))))
    return finish("five_walking", seed, seconds, [scene], casting, rng)


def three_scenes(rng, seed):
    """Eight shots in three places; in each two to four of the cast of five, elsewhere and of another size than before."""
    casting = Casting(rng, 5, 3)
    places = [str(p) for p in rng.choice(BACKGROUNDS, 3, replace=False)]
    shots, time, last = [], 0.0, None
    for number in range(8):
        length = float(rng.uniform(1.2, 1.9))
        place = places[number] if number < 3 else str(rng.choice([p for p in places if p != last]))
        last = place
        scene = shot(rng, time, time + length, place)
        count = int(rng.integers(2, 5))
        slots = rng.permutation(np.linspace(0.16, 0.84, count))
        for name, x in zip(rng.permutation(casting.names)[:count], slots):
            width, y = rng.uniform(48, 140), rng.uniform(0.28, 0.45)
            step = rng.uniform(-0.07, 0.07)
            keys = [(time, x - step / 2, y, width), (time + length, x + step / 2, y + rng.uniform(-0.02, 0.02), width * rng.uniform(0.88, 1.15))]
            scene.people.append(casting.appear(str(name), time, time + length, keys))
        shots.append(scene)
        time += length
    return finish("three_scenes", seed, round(time, 2), shots, casting, rng)


def exits_returns(rng, seed):
    """Four people leave the picture and come back one to four seconds later, mostly at the other side."""
    seconds, casting = 16.0, Casting(rng, 4, 3)
    scene = shot(rng, 0, seconds, str(rng.choice(BACKGROUNDS)))
    for index, name in enumerate(casting.names):
        width, y = (64, 80, 98, 118)[index] * rng.uniform(0.93, 1.07), 0.26 + 0.05 * index
        start = -float(rng.uniform(0, 1.5))
        left = bool(index % 2)
        while start < seconds - 1.5:
            stay, across = float(rng.uniform(4.5, 6.5)), rng.random() < 0.7
            middle = rng.uniform(0.3, 0.7)
            enter = -OUT if left else 1 + OUT
            leave = (1 + OUT if left else -OUT) if across else enter
            wide = width * rng.uniform(0.85, 1.15)
            keys = [(start, enter, y, wide), (start + 0.4 * stay, middle, y, wide * 1.05),
                    (start + 0.55 * stay, middle + 0.03, y + 0.01, wide * 1.05), (start + stay, leave, y, wide)]
            scene.people.append(casting.appear(name, start, start + stay, keys))
            start += stay + float(rng.uniform(0.8, 3.5))  # and about half a second on the way beyond the edge
            # Mostly back from the other side: who left on the right returns on the left.
            left = (leave > 0.5) if rng.random() < 0.75 else not (leave > 0.5)
    return finish("exits_returns", seed, seconds, [scene], casting, rng)


def crowd(rng, seed):
    """Ten people in three rows mill about and hide one another."""
    seconds, casting = 11.0, Casting(rng, 10, 4)
    scene = shot(rng, 0, seconds, str(rng.choice(("park", "garage", "wall", "night"))))
    rows = [(0.24, 37, 4), (0.34, 54, 3), (0.45, 78, 3)]
    names = list(rng.permutation(casting.names))
    times = np.arange(0, seconds + 1.5, 1.5)
    for y, width, count in rows:
        for place in range(count):
            home = (place + 0.5) / count + rng.uniform(-0.04, 0.04)
            width_own = width * rng.uniform(0.88, 1.12)
            phase, rate = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.06, 0.13, 3)
            keys = []
            for time in times:
                sway = np.sin(2 * np.pi * rate * time + phase)
                keys.append((float(time), float(np.clip(home + 0.19 * sway[0], 0.05, 0.95)), float(y + 0.07 * sway[1]),
                             float(width_own * (1 + 0.12 * sway[2]))))
            scene.people.append(casting.appear(str(names.pop()), 0.0, seconds, keys))
    return finish("crowd", seed, seconds, [scene], casting, rng)
