"""Every kind of picture, and what is said of those that are none."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy
import pytest
from PIL import Image

import facerec


def test_a_path_bytes_an_open_file_and_a_buffer_are_the_same_picture(engine, obama):
    data = obama.read_bytes()
    expected = engine.detect(obama)
    assert len(expected) == 1
    for same in (str(obama), data, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert engine.detect(same) == expected
    with obama.open("rb") as file:
        assert engine.detect(file) == expected


def test_an_array_a_pil_image_and_whatever_becomes_an_array_are_the_same_picture(engine, rgb):
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return rgb

    expected = engine.detect(rgb)
    assert len(expected) == 1
    assert engine.detect(Image.fromarray(rgb)) == expected
    assert engine.detect(Tensor()) == expected
    assert engine.detect(numpy.dstack([rgb, numpy.full(rgb.shape[:2], 7, "uint8")])) == expected, "alpha is ignored"


def test_strides_orders_and_channels_do_not_matter(engine, rgb):
    expected = engine.detect(rgb)
    bgr = rgb[..., ::-1]
    assert engine.detect(bgr, bgr=True) == expected
    assert engine.detect(numpy.ascontiguousarray(bgr), bgr=True) == expected
    assert engine.detect(numpy.asfortranarray(rgb)) == expected
    wide = numpy.zeros((rgb.shape[0] + 5, rgb.shape[1] + 9, 3), "uint8")
    wide[5:, 9:] = rgb
    assert engine.detect(wide[5:, 9:]) == expected, "a crop"
    assert engine.detect(rgb[::-1].copy()[::-1]) == expected, "negative strides"
    read_only = rgb.copy()
    read_only.flags.writeable = False
    assert engine.detect(read_only) == expected
    assert engine.detect(numpy.ascontiguousarray(rgb[:, ::-1]))[0].box != expected[0].box, "a mirrored picture is another"


def test_grey_is_a_picture_too(engine, rgb):
    grey = rgb.mean(axis=2).astype("uint8")
    assert engine.detect(grey) == engine.detect(numpy.dstack([grey] * 3))


def test_an_array_in_order_is_not_copied():
    """A picture of 300 MB is looked at without 300 MB more; only to turn it takes a copy."""
    import resource

    engine = facerec.Engine(turned=False)
    picture = numpy.zeros((10_000, 10_000, 3), "uint8")
    picture[:] = 127
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    engine.detect(picture)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 150, f"{grown:.0f} MiB more"


def grey_of(rgb: numpy.ndarray) -> numpy.ndarray:
    return rgb.mean(axis=2).astype("uint8")


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "<u2", "float16", "float32", ">f4", "float64", "whole"])
def test_deep_arrays_are_the_picture_of_8_bits(engine, rgb, dtype):
    """16 bits go by 257, as in a 16-bit PNG; fractions are from 0 to 1; whole numbers may be floats as well."""
    if dtype == "whole":
        deep = rgb.astype("float32")
    elif dtype.endswith("2") or dtype == "uint16":
        deep = (rgb.astype("uint16") * 257).astype(dtype)
    else:
        deep = (rgb / 255).astype(dtype)
    expected = engine.detect(rgb)
    assert len(expected) == 1
    assert engine.detect(deep) == expected
    assert engine.detect(deep[..., ::-1], bgr=True) == expected
    assert engine.detect(numpy.dstack([deep, deep[..., 0]])) == expected, "alpha is ignored"
    assert engine.detect(deep[..., 0].copy()) == engine.detect(rgb[..., 0].copy()), "grey"


@pytest.mark.parametrize("mode", ["L", "P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_a_pil_image_of_every_mode_shows_its_face(engine, rgb, mode):
    colour = Image.fromarray(rgb)
    if mode == "P":
        picture = colour.convert("P", palette=Image.Palette.ADAPTIVE)
    elif mode in ("La", "PA"):
        picture = colour.convert("LA" if mode == "La" else "P").convert(mode)
    elif mode == "RGBa":
        picture = colour.convert("RGBA").convert("RGBa")
    elif mode in ("I", "F"):
        picture = colour.convert("L").convert(mode)
    else:
        picture = colour.convert(mode)
    assert picture.mode == mode
    assert len(engine.detect(picture)) == 1


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_a_pil_image_of_16_bits_is_its_file(engine, rgb, mode, tmp_path):
    deep = grey_of(rgb).astype("uint16") * 257
    size = (rgb.shape[1], rgb.shape[0])
    picture = Image.frombytes(mode, size, deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    expected = engine.detect(grey_of(rgb))
    assert len(expected) == 1
    assert engine.detect(picture) == expected
    path = tmp_path / "grey16.png"
    Image.frombytes("I;16", size, deep.tobytes()).save(path)
    with Image.open(path) as opened:
        assert engine.detect(opened) == engine.detect(path) == expected
    assert engine.detect(Image.fromarray(deep.astype("int32"), mode="I")) == expected, "32 bits that hold 16"


def test_a_transparent_pil_image_lies_over_white_as_its_file_does(engine, rgb, tmp_path):
    """Below the transparent part are the colours of a face that nobody sees."""
    picture = Image.fromarray(rgb).convert("RGBA")
    picture.putalpha(0)
    grey = picture.convert("LA")
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    palette.info["transparency"] = bytes(16)
    for hidden in (picture, grey, palette):
        path = tmp_path / "hidden.png"
        hidden.save(path)
        assert engine.detect(hidden) == engine.detect(path) == []


def test_a_pil_image_in_black_and_white_is_one_in_rgb(rgb):
    picture = Image.fromarray(rgb).convert("1")
    assert facerec.jpeg(picture) == facerec.jpeg(picture.convert("RGB")) != facerec.jpeg(rgb)


def test_a_pil_image_of_a_wild_range_is_refused(engine, rgb):
    wild = Image.fromarray((rgb[..., 0].astype("float32") - 128) * 3, mode="F")
    with pytest.raises(facerec.InvalidArgument, match="expected samples from 0 to 1"):
        engine.detect(wild)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (numpy.full((4, 4, 3), 1.5, "float32"), "expected samples from 0 to 1, or whole numbers to 255 or 65535, got `1.5` to `1.5`"),
        (numpy.full((4, 4, 3), -1.0), "got `-1` to `-1`"),
        (numpy.full((4, 4, 3), numpy.nan, "float32"), "expected finite samples, got `NaN`"),
        (numpy.zeros((4, 4, 2), "float32"), "got float32 and [4, 4, 2]"),
        (numpy.zeros((4, 4, 3), "complex64"), "got complex64"),
        (numpy.zeros((4, 4, 3), "int64"), "got int64"),
        (numpy.zeros((4, 4, 3), "bool"), "got bool"),
        (numpy.zeros((4, 4, 3), "int16"), "got int16"),
        (numpy.zeros((4, 4, 3), "uint32"), "got uint32"),
        (numpy.zeros((3, 4, 4), "uint8").transpose(), None),
        (numpy.zeros((4, 4, 2), "uint8"), "got uint8 and [4, 4, 2]"),
        (numpy.zeros((1, 4, 4, 3), "uint8"), "got uint8 and [1, 4, 4, 3]"),
        (numpy.zeros(16, "uint8"), "got uint8 and [16]"),
        (numpy.zeros((), "uint8"), "got uint8 and []"),
        (numpy.zeros((0, 4, 3), "uint8"), "at least one pixel"),
        (numpy.zeros((4, 0, 3), "uint8"), "at least one pixel"),
        (numpy.array(["a"]), "shape (H, W, 3)"),
        (numpy.array([None]), "shape (H, W, 3)"),
    ],
)
def test_other_arrays_are_refused_with_what_was_expected(engine, array, said):
    if said is None:
        assert engine.detect(array) == []
        return
    with pytest.raises(facerec.InvalidArgument) as caught:
        engine.detect(array)
    assert said in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "invalid_argument"


def test_four_channels_cannot_be_bgr(engine):
    with pytest.raises(facerec.InvalidArgument):
        engine.detect(numpy.zeros((4, 4, 4), "uint8"), bgr=True)
    with pytest.raises(facerec.InvalidArgument, match="encoded picture"):
        engine.detect(b"GIF89a", bgr=True)


@pytest.mark.parametrize("thing", [None, 3, 3.5, [1, 2], {"a": 1}, object()])
def test_what_is_no_picture_at_all_is_a_type_error(engine, thing):
    with pytest.raises(TypeError, match="expected a path, bytes, a NumPy array"):
        engine.detect(thing)


def test_a_text_file_is_a_type_error(engine):
    with pytest.raises(TypeError, match="binary mode"):
        engine.detect(io.StringIO("text"))


def test_an_array_that_fails_to_be_one_says_why(engine):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("no memory on the moon")

    with pytest.raises(RuntimeError, match="on the moon"):
        engine.detect(Broken())


def test_damaged_and_foreign_files_have_their_codes(engine, obama, tmp_path):
    data = obama.read_bytes()
    with pytest.raises(facerec.DecodeImageError) as caught:
        engine.detect(data[: len(data) // 2])
    assert caught.value.code == "decode_image"
    with pytest.raises(facerec.DecodeImageError):
        engine.detect(b"")
    with pytest.raises(facerec.UnsupportedFormat, match="PDF"):
        engine.detect(b"%PDF-1.7 and so on")
    missing = tmp_path / "missing.jpg"
    with pytest.raises(facerec.IoError) as caught:
        engine.detect(missing)
    assert isinstance(caught.value, OSError)
    assert (caught.value.code, caught.value.errno, caught.value.filename) == ("io", 2, str(missing))
    assert "missing.jpg" in str(caught.value)
    with pytest.raises(facerec.IoError):
        engine.detect(tmp_path)


@pytest.mark.parametrize("name", ["with space.jpg", "ünïcödé ☃ 日本.jpg", "quote'\"`.jpg", "-dash.jpg", "no extension"])
def test_weird_names_are_names(engine, obama, tmp_path, name):
    path = tmp_path / name
    shutil.copy(obama, path)
    assert len(engine.detect(path)) == 1
    assert len(engine.detect(str(path))) == 1


def test_names_that_are_no_unicode_are_names(engine, obama, tmp_path):
    import os

    path = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    shutil.copy(obama, path)
    assert len(engine.detect(Path(os.fsdecode(path)))) == 1


def test_exif_orientation_is_applied_to_files(engine):
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "images"
    marked = [facerec.annotate(folder / f"exif_{turn}.jpg", []) for turn in (1, 6)]
    assert marked[0].shape == marked[1].shape
