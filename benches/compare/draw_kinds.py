#!/usr/bin/env python3
"""Draws benches/results/gallery_kinds.svg from gallery_kinds.json: times and memory over the number of faces."""
import json
import math
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
COLOURS = {"flat": "#1b6ca8", "sq8": "#2a9d5c", "fp16": "#8a5cc2", "ivf": "#d1495b", "hnsw": "#e0a030"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 240, 66, 64, 72


Lines = dict[str, list[tuple[float, float]]]


def short(faces: int) -> str:
    return f"{faces // 1_000_000}M" if faces >= 1_000_000 else f"{faces // 1000}k"


def panel(x0: float, title: str, unit: str, lines: Lines, other: Lines, from_zero: bool) -> list[str]:
    """A diagram over the logarithm of the number of faces; its height is a logarithm too, or starts `from_zero`."""
    points = [p for line in (*lines.values(), *other.values()) for p in line]
    highest = max(p[1] for p in points)
    if from_zero:
        low, high, ticks = 0.0, math.ceil(highest / 1000) * 1000, range(0, math.ceil(highest / 1000) * 1000 + 1, 1000)
        height = lambda value: value
    else:
        low, high = (math.log10(max(f(p[1] for p in points), 1e-4)) for f in (min, max))
        low, high = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
        ticks = [10**power for power in range(low, high + 1)]
        height = lambda value: math.log10(max(value, 1e-4))
    first, last = (f(math.log10(p[0]) for p in points) for f in (min, max))
    last = max(last, first + 1)
    y_of = lambda value: TOP + HEIGHT - (height(value) - low) / (high - low) * HEIGHT

    def at(p: tuple[float, float]) -> str:
        return f"{x0 + (math.log10(p[0]) - first) / (last - first) * WIDTH:.1f},{y_of(p[1]):.1f}"

    out = [f'<text x="{x0}" y="{TOP - 14}" class="title">{title}</text>']
    for tick in ticks:
        y = y_of(tick)
        label = f'<text x="{x0 - 6}" y="{y + 4:.1f}" class="right">{tick:,g} {unit}</text>'
        out.append(f'<line x1="{x0}" x2="{x0 + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>{label}')
    for power in range(round(first), round(last) + 1):
        x = x0 + (power - first) / (last - first) * WIDTH
        out.append(f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" class="middle">{short(10**power)}</text>')
    for style, group in (("other", other), ("line", lines)):
        for kind, line in group.items():
            path = " ".join(at(p) for p in sorted(line))
            out.append(f'<polyline points="{path}" class="{style}" stroke="{COLOURS[kind]}"/>')
            if style == "line":
                out.extend(f'<circle cx="{at(p).split(",")[0]}" cy="{at(p).split(",")[1]}" r="3" fill="{COLOURS[kind]}"/>' for p in line)
    return out


def main() -> None:
    data = json.loads((RESULTS / "gallery_kinds.json").read_text())
    kinds = [kind for kind in COLOURS if any(run["kind"] == kind for run in data["runs"])]

    def lines(key: str) -> Lines:
        return {kind: [(r["faces"], r[key]) for r in data["runs"] if r["kind"] == kind] for kind in kinds}

    panels = [
        ("One query, top 5 (dashed: faiss-cpu)", "ms", lines("top5_ms"), lines("faiss_cpu_top5_ms"), False),
        ("Memory per face", "B", lines("index_bytes_per_face"), {}, True),
        ("Building and saving", "s", lines("build_and_save_s"), {}, False),
        ("Opening", "s", lines("open_s"), {}, False),
    ]
    width = LEFT + len(panels) * (WIDTH + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 74}" font-family="sans-serif" font-size="12">',
        "<style>.title{font-size:14px;font-weight:bold}.grid{stroke:#ddd}.right{text-anchor:end;fill:#555}.middle{text-anchor:middle;fill:#555}"
        ".line{fill:none;stroke-width:2}.other{fill:none;stroke-width:1.4;stroke-dasharray:4 3;opacity:.7}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">Kinds of index, {data["dim"]} values, {data["cores"]} cores</text>',
    ]
    for i, (title, unit, ours, theirs, from_zero) in enumerate(panels):
        out += panel(LEFT + i * (WIDTH + GAP), title, unit, ours, theirs, from_zero)
    for i, kind in enumerate(kinds):
        x, y = LEFT + i * 110, TOP + HEIGHT + 50
        out.append(f'<line x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}" stroke="{COLOURS[kind]}" stroke-width="3"/><text x="{x + 32}" y="{y + 4}">{kind}</text>')
    out.append("</svg>")
    (RESULTS / "gallery_kinds.svg").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    sys.exit(main())
