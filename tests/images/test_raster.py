"""Raster images as viewers show them; each oracle is Pillow, tifffile or the array that was written."""

import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from shared.engine.datasets import CaseDataset
from shared.errors import InputError
from shared.images import pixels
from shared.images.checking import ReadCased, match_channels
from shared.images.reading import read_image

RNG = np.random.default_rng(0)
GRAY, RGB = RNG.integers(0, 256, (5, 7), dtype=np.uint8), RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 2**16, (5, 7, 4)).astype(np.uint16)


def read(path: Path, **options: Any) -> np.ndarray:
    """(rows, columns[, C]) of a file."""
    values = read_image(path, **options).values
    return values[0] if len(values) == 1 else np.moveaxis(values, 0, -1)


def refusal(path: Path, channels: int = 3, channel: object = "") -> str:
    """The line with which a file is refused, which names it, what was expected, what was given, and a fix."""
    with pytest.raises(InputError) as caught:
        match_channels(read_image(path), channels, channel)
    assert re.fullmatch(rf"{re.escape(str(path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
    return str(caught.value)


def names(path: Path) -> list[str]:
    return [channel.name for channel in read_image(path).channels]


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg", ".jfif", ".webp", ".tif"])
@pytest.mark.parametrize("as_ids", [False, True])
def test_a_turned_picture_is_read_upright_as_pillow_turns_it(
    tmp_path: Path, orientation: int, ending: str, as_ids: bool
) -> None:
    path, exif = tmp_path / f"a{ending}", Image.Exif()
    exif[0x0112] = orientation
    kind = {".jfif": "JPEG"}.get(ending)
    Image.fromarray(RGB).save(path, kind, exif=exif, **({"lossless": True} if ending == ".webp" else {}))
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read(path, as_ids=as_ids), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["CMYK", "P", "L"])
def test_a_turned_tiff_is_upright_whichever_library_reads_its_colours(
    tmp_path: Path, orientation: int, mode: str
) -> None:
    Image.fromarray(RGB).convert(mode).save(tmp_path / "a.tif", tiffinfo={274: orientation}, compression="tiff_lzw")
    with Image.open(tmp_path / "a.tif") as file:
        file.load()  # which turns a compressed TIFF
        expected = np.asarray(file.convert("L" if mode == "L" else "RGB"))
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), expected)


def test_a_deep_png_is_turned_and_keeps_its_bits(tmp_path: Path) -> None:
    plain = imagecodecs.png_encode(np.ascontiguousarray(DEEP[..., :3]))
    tag = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHHI", 0x0112, 3, 1, 6, 0, 0)
    chunk = struct.pack(">I", len(tag)) + b"eXIf" + tag + struct.pack(">I", zlib.crc32(b"eXIf" + tag))
    (tmp_path / "a.png").write_bytes(plain[:33] + chunk + plain[33:])  # behind the header
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.rot90(DEEP[..., :3], -1))


def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=100)
    assert read(tmp_path / "a.jpg").shape == GRAY.shape


# Formats, by content


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.dcm", "a.nii.gz", "a.bmp"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM"])
def test_content_counts_and_not_the_ending(tmp_path: Path, name: str, kind: str) -> None:
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}.get(kind, {})
    Image.fromarray(RGB).save(tmp_path / name, kind, **options)
    np.testing.assert_array_equal(read(tmp_path / name), RGB)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_a_palettes_indices_are_ids_in_every_format(tmp_path: Path, kind: str) -> None:
    picture = Image.fromarray(GRAY % 3)
    picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    picture.save(tmp_path / "a.png", kind)
    np.testing.assert_array_equal(read(tmp_path / "a.png", as_ids=True), GRAY % 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_2000_keeps_its_bits(tmp_path: Path, channels: int, bits: int) -> None:
    given = (DEEP[..., :3] >> (16 - bits)).astype(np.uint8 if bits == 8 else np.uint16)
    given = given[..., 0] if channels == 1 else given
    code = imagecodecs.jpeg2k_encode(given, level=0, reversible=True, codecformat="JP2", bitspersample=bits)
    (tmp_path / "a.jp2").write_bytes(code)
    np.testing.assert_array_equal(read(tmp_path / "a.jp2"), given)


def test_an_animation_is_refused_and_a_cameras_preview_is_not_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert all("got 2 of an animation" in refusal(tmp_path / f"a.{ending}") for ending in ("webp", "gif"))
    frames[0].save(tmp_path / "b.jpg", "MPO", save_all=True, append_images=frames[1:], quality=95)
    assert read(tmp_path / "b.jpg").shape == RGB.shape


# What the numbers of a TIFF mean


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
def test_what_is_white_where_it_is_low_is_inverted_at_any_depth(tmp_path: Path, dtype: str) -> None:
    plain = GRAY.astype(dtype) / 255 if dtype == "f4" else GRAY.astype(dtype)
    highest = {"u1": 255, "u2": 65535, "i2": -1, "f4": 1}[dtype]  # of 16 bits with a sign, 32767 becomes -32768
    plain[0, 0] = plain.max() if dtype != "f4" else 1
    tifffile.imwrite(tmp_path / "a.tif", plain.astype(dtype), photometric="miniswhite")
    np.testing.assert_allclose(read(tmp_path / "a.tif"), highest - plain.astype(dtype).astype(float), atol=1e-6)
    if dtype == "u1":
        with Image.open(tmp_path / "a.tif") as file:
            np.testing.assert_array_equal(read(tmp_path / "a.tif"), np.asarray(file))
    np.testing.assert_array_equal(read(tmp_path / "a.tif", as_ids=True), plain.astype(dtype))  # ids are numbers


def test_black_and_white_of_one_bit_is_as_pillow_shows_it(tmp_path: Path) -> None:
    for photometric in ("miniswhite", "minisblack"):
        tifffile.imwrite(tmp_path / "a.tif", GRAY > 99, photometric=photometric)
        with Image.open(tmp_path / "a.tif") as file:
            np.testing.assert_array_equal(read(tmp_path / "a.tif"), np.asarray(file))


def test_a_palette_of_16_bits_gives_its_colours(tmp_path: Path) -> None:
    colours = RNG.integers(0, 256, (3, 2**16)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", DEEP[..., 0], photometric="palette", colormap=colours * 257)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), np.moveaxis(colours[:, DEEP[..., 0]], 0, -1))
    np.testing.assert_array_equal(read(tmp_path / "a.tif", as_ids=True), DEEP[..., 0])


def test_lab_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="cielab")
    assert "got CIELAB; convert it to RGB" in refusal(tmp_path / "a.tif")


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_alpha_is_dropped_where_the_file_says_that_it_is_alpha(tmp_path: Path, extra: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extrasamples=[extra])
    assert names(tmp_path / "a.tif") == ["red", "green", "blue", "alpha"]
    matched = match_channels(read_image(tmp_path / "a.tif"), 3)
    np.testing.assert_array_equal(matched, np.moveaxis(DEEP[..., :3], -1, 0))


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize("count", [2, 4])
def test_a_last_channel_that_is_no_alpha_is_not_dropped_but_chosen(
    tmp_path: Path, photometric: str, count: int
) -> None:
    if (photometric, count) == ("rgb", 2):
        pytest.skip("no such file")
    extra = ["unspecified"] * (count - (3 if photometric == "rgb" else 1))
    path = tmp_path / "a.tif"
    given = DEEP[..., :count]
    tifffile.imwrite(path, given, photometric=photometric, planarconfig="contig", extrasamples=extra)
    for channels in (1, 3):
        line = refusal(path, channels)
        assert "--channel" in line
        assert f"got {count} ({', '.join(names(path))})" in line
    for number in range(1, count + 1):
        np.testing.assert_array_equal(match_channels(read_image(path), 1, number)[0], given[..., number - 1])
        np.testing.assert_array_equal(match_channels(read_image(path), 3, str(number))[2], given[..., number - 1])
    np.testing.assert_array_equal(match_channels(read_image(path), count), np.moveaxis(given, -1, 0))


# Choosing channels


def test_a_colour_is_chosen_by_name_or_number(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([RGB, GRAY])).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    for wanted, plane in [("red", 0), ("Green", 1), (" blue ", 2), (1, 0), ("3", 2)]:
        np.testing.assert_array_equal(match_channels(image, 1, wanted)[0], RGB[..., plane])
    np.testing.assert_array_equal(match_channels(image, 1, "alpha")[0], GRAY)
    for several in ("3,1,2", (3, 1, 2), ["blue", "red", "green"], "blue, red,green"):
        np.testing.assert_array_equal(match_channels(image, 3, several), np.moveaxis(RGB[..., [2, 0, 1]], -1, 0))


@pytest.mark.parametrize("wanted", [0, 5, -1, "DAPI", "1,9", "true", 1.5])
def test_a_channel_that_there_is_not_is_refused_by_name(tmp_path: Path, wanted: object) -> None:
    Image.fromarray(np.dstack([RGB, GRAY])).save(tmp_path / "a.png")
    line = refusal(tmp_path / "a.png", 1, wanted)
    assert f"a channel '{str(wanted).split(',')[-1]}', got 4 (red, green, blue, alpha)" in line


def test_an_ome_channel_is_chosen_by_name_colour_or_number(tmp_path: Path) -> None:
    stack = RNG.integers(0, 4000, (3, 5, 7)).astype(np.uint16)
    green = int.from_bytes(b"\0\xff\0\xff", "big")
    channel = {"Name": ["DAPI", "488", "Cy5, far"], "Color": [65535, green, -1]}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "CYX", "Channel": channel})
    image = read_image(path)
    for wanted, plane in [("dapi", 0), ("blue", 0), (1, 0), (488, 1), ("green", 1), ("Cy5, far", 2), ("gray", 2)]:
        np.testing.assert_array_equal(match_channels(image, 1, wanted)[0], stack[plane])
    assert "got 3 (DAPI blue, 488 green, Cy5, far gray)" in refusal(path, 1)
    assert "--channel" in refusal(path, 3)  # three stains are not red, green and blue
    np.testing.assert_array_equal(match_channels(image, 3, "3,2,1"), stack[::-1])


def test_imagejs_channels_are_chosen_by_the_colour_in_which_it_shows_them(tmp_path: Path) -> None:
    stack = RNG.integers(0, 4000, (2, 5, 7)).astype(np.uint16)
    ramp, dark = np.arange(256, dtype=np.uint8), np.zeros(256, dtype=np.uint8)
    tables = [np.stack([ramp, dark, ramp]), np.stack([dark, ramp, ramp])]
    written: list[tuple[dict[str, Any], str]] = [({"mode": "composite"}, "green"), ({"LUTs": tables}, "cyan")]
    for metadata, colour in written:
        tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "CYX", **metadata})
        np.testing.assert_array_equal(match_channels(read_image(tmp_path / "a.tif"), 1, colour)[0], stack[1])
        os.utime(tmp_path / "a.tif", ns=(0, 0))  # as another file


# Stacks

AXES = {
    "ZYX": ["z001", "z002", "z003"],
    "TYX": ["t001", "t002", "t003"],
    "ZCYX": ["z001", "z002", "z003"],
    "TZYX": [f"t{t:03}_z{z:03}" for t in (1, 2, 3) for z in (1, 2)],
    "CYX": [""],
    "YX": [""],
    "ZYXS": ["z001", "z002", "z003"],
    "TZCYX": [f"t{t:03}_z{z:03}" for t in (1, 2, 3) for z in (1, 2)],
}
LENGTHS = (3, 2, 4)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", ["imagej", "ome", "compressed"])
def test_the_slices_of_a_stack_are_those_of_the_array_that_was_written(tmp_path: Path, axes: str, kind: str) -> None:
    lead = axes[: axes.index("Y")]
    shape = (*LENGTHS[: len(lead)], 5, 7, *([3] if axes.endswith("S") else []))
    array = RNG.integers(0, 256, shape).astype(np.uint8 if axes.endswith("S") else np.uint16)
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    packed: dict[str, Any] = {"compression": "zlib"} if kind == "compressed" else {}
    photometric = "rgb" if axes.endswith("S") else "minisblack"
    tifffile.imwrite(
        path, array, imagej=kind != "ome", photometric=photometric, metadata={"axes": axes}, **packed
    )  # fmt: skip
    for name in AXES[axes]:
        where = dict.fromkeys(lead, slice(None)) | {
            part[0].upper(): int(part[1:]) - 1 for part in name.split("_") if part
        }
        expected = array[tuple(where[axis] for axis in lead)]
        image = read_image(path.with_name(f"{path.name}#{name}") if name else path)
        expected = np.moveaxis(expected, -1, 0) if axes.endswith("S") else expected.reshape(-1, 5, 7)
        np.testing.assert_array_equal(image.values, expected)
    if AXES[axes] != [""]:
        assert f"name one, as in {path.name}#{AXES[axes][0]}" in refusal(path)


def test_pages_without_metadata_are_slices_whatever_library_wrote_them(tmp_path: Path) -> None:
    pages = RNG.integers(0, 256, (3, 5, 7), dtype=np.uint8)
    gray: dict[str, Any] = {"photometric": "minisblack"}  # else tifffile would write three as colours
    frames = [Image.fromarray(page) for page in pages]
    frames[0].save(tmp_path / "pillow.tif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "plain.tif", pages, metadata=None, **gray)
    tifffile.imwrite(tmp_path / "shaped.tif", pages, **gray)
    tifffile.imwrite(tmp_path / "truncated.tif", pages, contiguous=True, metadata={"axes": "QYX"}, **gray)
    frames = [Image.fromarray(RGB).convert("CMYK"), Image.fromarray(255 - RGB).convert("CMYK")]
    frames[0].save(tmp_path / "cmyk.tif", save_all=True, append_images=frames[1:])
    for name in ("pillow", "plain", "shaped", "truncated"):
        for number, page in enumerate(pages, 1):
            np.testing.assert_array_equal(read(tmp_path / f"{name}.tif#page{number:03}"), page)
    np.testing.assert_array_equal(read(tmp_path / "cmyk.tif#page002"), 255 - RGB)


def test_a_big_endian_stack_in_one_piece_is_read(tmp_path: Path) -> None:
    stack = RNG.integers(0, 4000, (3, 5, 7)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, byteorder=">", imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:  # as ImageJ writes stacks of more than 4 GB: one page alone
        start = file.pages.first.offset
        count = len(file.pages.first.tags)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[start + 2 + 12 * count : start + 6 + 12 * count] = bytes(4)  # no next page
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(read(tmp_path / "a.tif#z003"), stack[2])


def test_a_pyramid_and_a_thumbnail_are_no_slices(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GRAY[::2, ::2], metadata=None, subfiletype=1)
        file.write(GRAY, metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), GRAY)
    with tifffile.TiffWriter(tmp_path / "b.ome.tif", ome=True) as file:
        file.write(GRAY, subifds=1, metadata={"axes": "YX"})
        file.write(GRAY[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read(tmp_path / "b.ome.tif"), GRAY)


def of_several(folder: Path, *, with_uuid: bool = True, channels: int = 1) -> tuple[list[Path], np.ndarray]:
    """Three files, each with the channels of one slice, whose XML describes all of them."""
    stack = RNG.integers(0, 4000, (3, channels, 5, 7)).astype(np.uint16)
    names = [f"z{z}.ome.tif" for z in range(3)]
    planes = "".join(
        f'<TiffData FirstZ="{z}" FirstC="{c}" IFD="{c}"><UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>'
        for z, name in enumerate(names)
        for c in range(channels)
    )
    stains = "".join(f'<Channel ID="Channel:0:{c}" Name="S{c}"/>' for c in range(channels))
    for z, name in enumerate(names):
        uuid = f' UUID="urn:uuid:{z}"' if with_uuid else ""
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{uuid}><Image ID="I:0">'
            f'<Pixels ID="P:0" DimensionOrder="XYCZT" Type="uint16" SizeX="7" SizeY="5" SizeC="{channels}" SizeZ="3" '
            f'SizeT="1">{stains}{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / name, stack[z], description=xml, metadata=None, photometric="minisblack", contiguous=False
        )
    return [folder / name for name in names], stack


@pytest.mark.parametrize("with_uuid", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("siblings", [True, False])
def test_a_file_of_a_multi_file_ome_tiff_is_its_own_plane(
    tmp_path: Path, with_uuid: bool, channels: int, siblings: bool
) -> None:
    files, stack = of_several(tmp_path, with_uuid=with_uuid, channels=channels)
    for z, path in enumerate(files):
        if not siblings:
            for other in files:
                other.rename(other.with_suffix(".away")) if other != path and other.exists() else None
        np.testing.assert_array_equal(read_image(path).values, stack[z])
        assert names(path) == [f"S{c}" for c in range(channels)]
        if not siblings:
            break


def test_xml_that_is_none_leaves_the_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", GRAY, description="<OME not xml</OME>", metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif"), GRAY)


def test_a_file_whose_name_looks_like_a_slice_is_itself(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif#z001", GRAY)
    tifffile.imwrite(tmp_path / "a.tif", 255 - GRAY)
    np.testing.assert_array_equal(read(tmp_path / "a.tif#z001"), GRAY)
    with pytest.raises(InputError, match="got z002 of 1"):
        read_image(tmp_path / "a.tif#z002")


# Size


def bomb(path: Path, side: int, colour_type: int = 0) -> Path:
    """The header of a PNG of `side`² with next to nothing behind it."""
    header = struct.pack(">IIBBBBB", side, side, 8, colour_type, 0, 0, 0)
    chunks = b""
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(side))), (b"IEND", b"")):
        chunks += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize("colour_type", [0, 2, 6])
def test_a_picture_that_unfolds_to_more_than_fits_is_refused_from_its_header(tmp_path: Path, colour_type: int) -> None:
    line = refusal(bomb(tmp_path / "a.png", 20_000, colour_type))
    assert "at most 134 million pixels of three channels, got 20000 × 20000" in line


def test_a_tiff_that_unfolds_to_more_than_fits_is_refused_from_its_header(tmp_path: Path) -> None:
    tiles = (np.zeros((4096, 4096), np.uint8) for _ in range(25))
    tifffile.imwrite(
        tmp_path / "a.tif", tiles, shape=(20_480, 20_480), dtype=np.uint8, tile=(4096, 4096), compression="zlib"
    )
    assert (tmp_path / "a.tif").stat().st_size < 2**20
    assert "got 20480 × 20480 of 1" in refusal(tmp_path / "a.tif")


@pytest.mark.parametrize(("side", "channels", "fits"), [
    (8192, 3, True), (10_000, 4, True), (11_585, 3, True), (11_586, 3, False), (2048, 40, True), (2048, 100, False),
])  # fmt: skip
def test_slides_fit(side: int, channels: int, fits: bool) -> None:
    try:
        pixels.check_size(Path("a.tif"), side, side, channels)
    except InputError:
        assert not fits
    else:
        assert fits


def test_whoever_draws_on_a_picture_has_the_channel_that_was_chosen(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    cases = [{"case": "a", "image": str(tmp_path / "a.png")}]
    sample: Any = CaseDataset(cases, ReadCased("image", spatial_dims=2, channels=3, channel="green"))[0]
    np.testing.assert_array_equal(sample["files"]["image"].values[0], RGB[..., 1])
    np.testing.assert_array_equal(sample["image"], np.stack([RGB[..., 1]] * 3))
