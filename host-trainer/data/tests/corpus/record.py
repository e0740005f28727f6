"""Records what Pillow decodes image files to, for the tests beside it. Needs Pillow; `formats` also needs cjpeg (Debian's
libjpeg-turbo-progs).

usage: record.py jpeg FOLDER     FOLDER holds the files that `CONVRNN_CORPUS=FOLDER cargo test --test jpeg_corpus` wrote;
                                 writes pillow.txt (name, CRC-32 of the file, width, height; 0 0 where Pillow refuses it)
                                 and pillow.bin.gz (RGB)
       record.py formats         makes files of other formats and writes them with their pixels into formats.zip:
                                 NAME, and NAME.rgb after ImageOps.exif_transpose and compositing on white,
                                 NAME.kept as stored (no transposition, alpha dropped) where that differs; each as
                                 width, height (u32), RGB
"""
import gzip, io, struct, subprocess, sys, zipfile, zlib
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin, features

here = Path(__file__).parent
VERSIONS = f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"


def record_jpeg(folder):
    lines, pixels = [f"# {VERSIONS}: name, CRC-32, width, height"], []
    for path in sorted(folder.glob("*.jpg")):
        data = path.read_bytes()
        try:
            image = Image.open(io.BytesIO(data)).convert("RGB")
        except OSError as error:
            print(path.stem, "is refused:", error)
            lines.append(f"{path.stem} {zlib.crc32(data):08x} 0 0")
            continue
        lines.append(f"{path.stem} {zlib.crc32(data):08x} {image.width} {image.height}")
        pixels.append(image.tobytes())
    (here / "pillow.txt").write_text("\n".join(lines) + "\n")
    (here / "pillow.bin.gz").write_bytes(gzip.compress(b"".join(pixels), 9, mtime=0))


def scene(size=(21, 14), mode="RGB"):
    image = Image.new("RGB", size)
    image.putdata([(11 * x, 17 * y, 255 - 6 * (x + y)) for y in range(size[1]) for x in range(size[0])])
    draw = ImageDraw.Draw(image)
    draw.ellipse((4, 3, 13, 11), fill=(230, 40, 90))
    return image.convert(mode)


def with_alpha():
    image = scene().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def saved(image, form, **options):
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def cjpeg(*arguments):
    return subprocess.run(["cjpeg", *arguments], input=saved(scene(), "PPM"), stdout=subprocess.PIPE, check=True).stdout


def files():
    yield "rgb.png", saved(scene(), "PNG")
    yield "gray.png", saved(scene(mode="L"), "PNG")
    yield "bilevel.png", saved(scene(mode="1"), "PNG")
    for colours in (2, 4, 16, 200):
        yield f"palette-{colours}.png", saved(scene().quantize(colours), "PNG")
    yield "palette-transparent.png", saved(scene().quantize(16), "PNG", transparency=3)
    yield "palette-alphas.png", saved(scene().quantize(16), "PNG", transparency=bytes(range(0, 256, 16)))
    yield "rgb-transparent.png", saved(scene(), "PNG", transparency=(230, 40, 90))
    yield "gray-transparent.png", saved(scene(mode="L"), "PNG", transparency=95)
    yield "rgba.png", saved(with_alpha(), "PNG")
    yield "gray-alpha.png", saved(with_alpha().convert("LA"), "PNG")
    yield "drawn-in-alpha.png", saved(Image.merge("RGBA", [Image.new("L", (21, 14))] * 3 + [scene(mode="L")]), "PNG")
    yield "interlaced.png", interlaced()
    for bits in ("gray", "rgb", "rgba"):
        yield f"{bits}-16.png", sixteen(bits)
    yield "lossless.webp", saved(scene(), "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(with_alpha(), "WEBP", lossless=True, exact=True)
    yield "lossy.webp", saved(scene(), "WEBP", quality=90)
    yield "animated.webp", saved(scene(), "WEBP", lossless=True, save_all=True, append_images=[scene().rotate(90)])
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        image = with_alpha() if mode == "RGBA" else scene().convert(mode)
        yield f"{mode.lower()}.bmp", saved(image, "BMP")
    for mode in ("1", "L", "RGB", "RGBA", "CMYK"):
        image = with_alpha() if mode == "RGBA" else scene().convert(mode)
        yield f"{mode.lower()}.tiff", saved(image, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{compression}.tif", saved(scene(), "TIFF", compression=compression)
    yield "group4.tif", saved(scene(mode="1"), "TIFF", compression="group4")
    yield "palette.tif", saved(scene().quantize(32), "TIFF")
    yield "still.gif", saved(scene().quantize(64), "GIF")
    yield "transparent.gif", saved(scene().quantize(16), "GIF", transparency=2)
    yield "animated.gif", saved(scene().quantize(64), "GIF", save_all=True, append_images=[scene().rotate(90).quantize(64)])
    yield "rgb.ppm", saved(scene(), "PPM")
    yield "gray.pgm", saved(scene(mode="L"), "PPM")
    for orientation in range(1, 9):
        yield f"orientation-{orientation}.jpg", saved(scene(), "JPEG", quality=95, exif=exif(orientation))
    yield "orientation-6.png", saved(scene(), "PNG", exif=exif(6))
    yield "orientation-6.webp", saved(scene(), "WEBP", lossless=True, exif=exif(6))
    yield "orientation-6.tif", saved(scene(), "TIFF", tiffinfo={0x0112: 6})
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    yield "orientation-8-xmp.jpg", saved(scene(), "JPEG", quality=95, xmp=xmp)
    yield "cmyk.jpg", saved(scene(mode="CMYK"), "JPEG", quality=95)
    yield "gray.jpg", saved(scene(mode="L"), "JPEG", quality=95)
    yield "progressive.jpg", saved(scene(), "JPEG", quality=95, progressive=True)
    yield "arithmetic.jpg", cjpeg("-quality", "95", "-arithmetic")
    yield "arithmetic-progressive.jpg", cjpeg("-quality", "95", "-arithmetic", "-progressive")
    yield "rgb.jpg", cjpeg("-quality", "95", "-rgb")
    yield "optimized-restart.jpg", cjpeg("-quality", "90", "-optimize", "-restart", "1", "-sample", "1x2")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def sixteen(bits):
    """A PNG of 16 bits a channel, by hand: Pillow writes gray ones only."""
    channels, colour = {"gray": (1, 0), "rgb": (3, 2), "rgba": (4, 6)}[bits]
    width, height = 19, 11
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">H", (977 * x + 3571 * y + 15013 * c) % 65536) for x in range(width) for c in range(channels))
        for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def interlaced():
    """Adam7, by hand."""
    image = scene((13, 11))
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, image.height, dy):
            row = b"".join(bytes(image.getpixel((x, y))) for x in range(x0, image.width, dx))
            rows += b"\0" + row if row else b""
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rgb(image):
    """Pillow's RGB; 16-bit gray by its high byte, which its own convert("L") clips instead."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGB")


def raw(image):
    return struct.pack("<II", image.width, image.height) + image.tobytes()


def record_formats():
    with zipfile.ZipFile(here / "formats.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def add(name, data):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)
        add("versions.txt", VERSIONS)
        for name, data in files():
            image = Image.open(io.BytesIO(data))
            image.load()
            kept = rgb(image)
            turned = ImageOps.exif_transpose(image)
            if "A" in turned.getbands() or "transparency" in turned.info:
                turned = turned.convert("RGBA")
                white = Image.new("RGBA", turned.size, "white")
                turned = Image.alpha_composite(white, turned)
            add(name, data)
            finished = rgb(turned)
            add(name + ".rgb", raw(finished))
            if raw(kept) != raw(finished):
                add(name + ".kept", raw(kept))


if sys.argv[1:2] == ["jpeg"]:
    record_jpeg(Path(sys.argv[2]))
elif sys.argv[1:] == ["formats"]:
    record_formats()
else:
    sys.exit(__doc__)
