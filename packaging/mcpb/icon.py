#!/usr/bin/env python3
"""Draws `icon.png`, 512 by 512: a bridge under an arch. `packaging/mcpb/icon.py >icon.png`."""

import struct
import sys
import zlib

SIZE = 512
# Each pixel is the mean of so many by so many points.
POINTS = 4
NIGHT, WATER, LIGHT = (24, 30, 62), (64, 92, 190), (244, 246, 255)


def colour(x, y):
    """Of a point; None outside of the rounded square."""
    corner, edge = 96, 16
    dx = max(edge + corner - x, 0, x - (SIZE - edge - corner))
    dy = max(edge + corner - y, 0, y - (SIZE - edge - corner))
    if dx * dx + dy * dy > corner * corner:
        return None
    if 60 < x < 452:
        radius = ((x - 256) ** 2 + (y - 330) ** 2) ** 0.5
        arch = 168 < radius < 196 and y < 330
        deck = 318 < y < 346
        hanger = y < 330 and radius < 182 and abs((x - 256) % 56 - 28) < 5
        if arch or deck or hanger:
            return LIGHT
    return WATER if y > 390 + 6 * ((x // 32) % 2) else NIGHT


def pixel(column, row):
    found = [
        colour(column + (i + 0.5) / POINTS, row + (j + 0.5) / POINTS)
        for i in range(POINTS)
        for j in range(POINTS)
    ]
    inside = [it for it in found if it]
    if not inside:
        return bytes(4)
    mean = [sum(it[k] for it in inside) // len(inside) for k in range(3)]
    return bytes([*mean, 255 * len(inside) // len(found)])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(SIZE)) for y in range(SIZE))
header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
image = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b""))
sys.stdout.buffer.write(b"\x89PNG\r\n\x1a\n" + b"".join(image))
