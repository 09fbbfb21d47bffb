#!/usr/bin/env python3
"""Draws what `versus --json` and `guard --scaling` wrote, as SVG.

    benches/plot.py DOCS FILE.json...

all.json -> bench-cpu.svg, bench-latency.svg, bench-memory.svg; scale.json -> bench-scaling.svg;
fips-*.json, go-fips.json -> bench-fips-*.svg, bench-go-fips.svg; a file of the guard -> bench-instructions.svg.
Needs nothing but Python's own library. Bars are natssl / nats-server, so shorter is better and 1 is
equal; the line on a bar goes from the smallest to the largest ratio of a pair.
"""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

INK, SOFT, GRID = "#1f2430", "#6b7280", "#e5e7eb"
BLUE, ORANGE, GREEN, RED, VIOLET, TEAL = "#2563eb", "#ea8a1f", "#2f9e63", "#d1435b", "#7c5cd6", "#1695a3"
COLOURS = [BLUE, ORANGE, GREEN, RED, VIOLET, TEAL]
FONT = 'font-family="system-ui, sans-serif"'


class Drawing:
    def __init__(self, width, height, title, what):
        self.width, self.height, self.parts = width, height, []
        self.text(16, 26, title, size=17, weight="600")
        self.text(16, 46, what, colour=SOFT)

    def text(self, x, y, text, size=12, colour=INK, anchor="start", weight="400"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {FONT} font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>')

    def note(self, y, lines):
        for line in lines:
            self.text(16, y, line, colour=SOFT, size=10.5)
            y += 15

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"{dash}/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
                          f'height="{height:.1f}" rx="2" fill="{colour}"/>')

    def course(self, points, colour, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        for x, y in points:
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
                       f'width="{self.width:.0f}" height="{self.height:.0f}">\n'
                       '<rect width="100%" height="100%" fill="#ffffff"/>\n')
            file.write("\n".join(self.parts) + "\n</svg>\n")
        print(path)


def figures(data, wanted):
    """(row, figure, ratio, smallest, largest) of every figure whose name `wanted` accepts."""
    for row in data["rows"]:
        for name, figure in row["figures"].items():
            ratio = figure.get("ratio")
            if wanted(name) and ratio is not None and math.isfinite(ratio) and ratio > 0:
                pairs = [a / b for a, b in zip(figure["natssl"], figure["go"]) if b > 0]
                yield row["name"], name, ratio, min(pairs), max(pairs)


def footer(data):
    machine = data["machine"]
    first, second = (machine[name].rsplit(" (", 1)[0] for name in ("natssl", "Go"))
    return [f"{first}; {second}", f'{machine["CPU"]}; {machine["kernel"]}; {machine["runs"]}; {machine["date"]}']


def ratios(path, title, what, rows, note):
    """Horizontal bars of ratios, with 1 as a line."""
    rows = list(rows)
    if not rows:
        return
    left, right, top, step = 24 + 6.8 * max(len(row[0]) for row in rows), 60, 84, 19
    width = left + 620
    largest = max(1.25, min(2.0, max(row[2] for row in rows)))
    drawing = Drawing(width, top + step * len(rows) + 56, title, what)

    def at(value):
        return left + (width - left - right) * min(value, largest) / largest

    bottom = top + step * len(rows)
    for tenth in range(0, int(largest * 4) + 1):
        value = tenth / 4
        drawing.line(at(value), top - 6, at(value), bottom)
        drawing.text(at(value), top - 12, f"{value:g}", colour=SOFT, anchor="middle", size=11)
    for index, (name, ratio, least, most) in enumerate(rows):
        y = top + step * index
        drawing.text(left - 8, y + 11, name, anchor="end")
        drawing.bar(left, y + 2, at(ratio) - left, 11, BLUE if ratio <= 1 else RED)
        drawing.line(at(least), y + 7.5, at(most), y + 7.5, INK, 1.4)
        drawing.text(max(at(ratio), at(most)) + 6, y + 11, f"{ratio:.2f}", colour=SOFT, size=11)
    drawing.line(at(1), top - 6, at(1), bottom, INK, 1.2, "4 3")
    drawing.note(bottom + 26, note)
    drawing.write(path)


def nice(value):
    for limit, unit, divisor in ((1e9, "G", 1e9), (1e6, "M", 1e6), (1e4, "k", 1e3)):
        if value >= limit:
            return f"{value / divisor:g}{unit}"
    return f"{value:g}"


def scaling(path, title, what, series, unit, note):
    """Both axes by tens: a flat line is a cost that does not grow. `series`: name -> [(x, y)], dashed if name ends with nats-server."""
    series = {name: sorted(points) for name, points in series.items() if points}
    if not series:
        return
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low_x, high_x = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
    low_y, high_y = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    high_x, high_y = max(high_x, low_x + 1), max(high_y, low_y + 1)
    width, left, top, right = 860, 76, 74, 250
    height = top + 330
    drawing = Drawing(width, height + 74, title, what)

    def place(x, y):
        return (left + (width - left - right) * (math.log10(x) - low_x) / (high_x - low_x),
                height - (height - top) * (math.log10(y) - low_y) / (high_y - low_y))

    for power in range(low_x, high_x + 1):
        x, _ = place(10 ** power, 10 ** low_y)
        drawing.line(x, top, x, height)
        drawing.text(x, height + 18, nice(10 ** power), colour=SOFT, anchor="middle")
    for power in range(low_y, high_y + 1):
        _, y = place(10 ** low_x, 10 ** power)
        drawing.line(left, y, width - right, y)
        drawing.text(left - 8, y + 4, nice(10 ** power), colour=SOFT, anchor="end")
    drawing.text(left, top - 8, unit, colour=SOFT, size=11)
    names = sorted({name.split(", ")[0] for name in series})
    for index, (name, points) in enumerate(sorted(series.items())):
        colour = COLOURS[names.index(name.split(", ")[0]) % len(COLOURS)]
        dash = "5 4" if name.endswith("nats-server") else ""
        drawing.course([place(x, y) for x, y in points], colour, dash)
        y = top + 12 + 20 * index
        drawing.line(width - right + 16, y - 4, width - right + 44, y - 4, colour, 2, dash)
        drawing.text(width - right + 50, y, name)
    drawing.note(height + 48, note)
    drawing.write(path)


def draw_all(folder, data):
    cpu = [(row, ratio, least, most) for row, _, ratio, least, most in
           figures(data, lambda name: name.startswith("CPU ns/"))]
    ratios(f"{folder}/bench-cpu.svg", "CPU of the server, natssl / nats-server",
           "CPU time per message, delivery, request or connection; below 1 natssl needs less", cpu, footer(data))
    late = [(f"{row} {name.split()[0]}", ratio, least, most) for row, name, ratio, least, most in
            figures(data, lambda name: name.endswith("µs"))]
    ratios(f"{folder}/bench-latency.svg", "Latency, natssl / nats-server",
           "steady, slow, storm: at a fixed offered load, from when a message was due; request: closed loop", late, footer(data))
    memory = [(row, ratio, least, most) for row, name, ratio, least, most in
              figures(data, lambda name: name in ("peak memory MB", "bytes/connection"))
              if name == "bytes/connection" or not row.startswith(("idle", "halfopen"))]
    ratios(f"{folder}/bench-memory.svg", "Memory of the server, natssl / nats-server",
           "peak of the resident set; for idle and half-open connections what each of them adds", memory, footer(data))


def draw_scale(folder, data):
    series = {}
    for row in data["rows"]:
        kind, size = row["name"].removeprefix("scale-").rsplit("-", 1)
        for name, figure in row["figures"].items():
            if name.startswith("CPU ns/"):
                for side, label in (("natssl", "natssl"), ("go", "nats-server")):
                    if figure[f"{side}_median"] is not None:
                        series.setdefault(f"{kind}, {label}", []).append((int(size), figure[f"{side}_median"]))
    scaling(f"{folder}/bench-scaling.svg", "How the cost of a message grows",
            "CPU per message (fan: per delivery) over TLS, while one number grows by tens", series,
            "CPU ns", footer(data))


def draw_instructions(folder, data):
    series = {}
    for point in data["points"]:
        series.setdefault(point["series"], []).append((point["size"], point["instructions"]))
    scaling(f"{folder}/bench-instructions.svg", "How the instructions of a message grow",
            "natssl's own instructions per message or delivery, without kernel, libc and OpenSSL; counted, not timed",
            series, "instructions", [f'{data["compiler"]}; benches/guard, callgrind'])


def draw_fips(folder, name, data):
    ours, theirs = data["labels"]
    cpu = [(row, ratio, least, most) for row, _, ratio, least, most in
           figures(data, lambda figure: figure.startswith("CPU ns/"))]
    ratios(f"{folder}/bench-{name}.svg", f"CPU of the server, {ours} / {theirs}",
           "CPU time per message, delivery, request or connection; below 1 the first needs less", cpu, footer(data))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = sys.argv[1]
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        name = os.path.basename(path).removesuffix(".json")
        if "points" in data:
            draw_instructions(folder, data)
        elif name == "all":
            draw_all(folder, data)
        elif name == "scale":
            draw_scale(folder, data)
        elif "fips" in name:
            draw_fips(folder, name, data)


main()
