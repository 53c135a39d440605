"""python -m unittest discover -s benches/clips     (needs the photos of LFW: ../shared/data/lfw beside the checkout, or LFW=FOLDER)"""

import os
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from generate import write_clip  # noqa: E402
from kinds import KINDS, SEEDS, make  # noqa: E402
from people import people  # noqa: E402
from render import Renderer  # noqa: E402
from scene import Path as Way  # noqa: E402

LFW = Path(os.environ.get("LFW", Path(__file__).parents[3] / "shared/data/lfw"))
SIZE = (320, 180)


class Layout(unittest.TestCase):
    """What needs no photos."""

    def test_a_seed_gives_one_clip_and_another_seed_another(self):
        for kind in KINDS:
            self.assertEqual(make(kind, 1), make(kind, 1))
            self.assertNotEqual(make(kind, 1).cast, make(kind, 2).cast)

    def test_enrolment_photos_are_not_shown_and_strangers_are_not_enrolled(self):
        for kind in KINDS:
            for seed in SEEDS:
                clip = make(kind, seed)
                shown = {(who.photo.name, who.photo.number) for shot in clip.shots for who in shot.people if who.photo}
                enrolled = {(photo.name, photo.number) for photos in clip.enrolled.values() for photo in photos}
                self.assertFalse(shown & enrolled)
                self.assertEqual({name for name, _ in shown} - set(clip.cast), set())
                self.assertTrue(all(2 <= len(photos) <= 3 for photos in clip.enrolled.values()))

    def test_people_have_photos_to_enrol_and_to_show(self):
        self.assertTrue(all(len(photos) >= 5 for photos in people().values()))

    def test_a_path_goes_through_its_straight_stretches(self):
        x = Way([(0, 0.2, 0.5, 60), (4, 0.6, 0.5, 60)]).at([2.0])[0]
        self.assertAlmostEqual(x[0], 0.4, delta=0.003)
        self.assertAlmostEqual(x[2], 60, places=6)


@unittest.skipUnless((LFW / "images").is_dir(), f"no LFW photos at {LFW}")
class Pictures(unittest.TestCase):
    def test_frames_and_truth_are_the_same_each_time(self):
        for kind in ("five_walking", "crowd"):
            first, second = (Renderer(make(kind, 1), LFW, *SIZE) for _ in range(2))
            for index in range(25):
                (picture, truth), (again, truth_again) = first.frame(index), second.frame(index)
                self.assertEqual(truth, truth_again)
                np.testing.assert_array_equal(picture, again)

    def test_boxes_are_inside_the_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            frames, tracks = write_clip("exits_returns", 1, LFW, Path(folder), *SIZE, seconds=2)
            self.assertEqual(frames, 50)
            boxes = [box for track in tracks.values() for _, _, *box in track]
            self.assertGreater(len(boxes), 20)
            for x1, y1, x2, y2 in boxes:
                self.assertTrue(0 <= x1 < x2 <= SIZE[0] and 0 <= y1 < y2 <= SIZE[1], (x1, y1, x2, y2))
            for name in ("clip.mp4", "truth.jsonl", "truth.txt", "scene.json"):
                self.assertGreater((Path(folder) / name).stat().st_size, 0)

    def test_who_is_covered_is_not_asked_for(self):
        clip = make("two_crossing", 1)
        renderer = Renderer(clip, LFW, *SIZE)
        seen = [sum(visible for _, visible, *_ in renderer.frame(index)[1]) for index in range(0, round(clip.seconds * 25), 5)]
        self.assertIn(1, seen)  # one behind the other
        self.assertGreater(seen.count(2), len(seen) / 2)


if __name__ == "__main__":
    unittest.main()
