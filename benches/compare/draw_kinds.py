#!/usr/bin/env python3
"""Draws benches/results/gallery_kinds.svg from gallery_kinds.json: query time, memory and build time over the number of faces."""
import json
import math
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
COLOURS = {"flat": "#1b6ca8", "sq8": "#2a9d5c", "fp16": "#8a5cc2", "ivf": "#d1495b", "hnsw": "#e0a030"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 260, 62, 64, 76


def panel(x0: float, title: str, unit: str, lines: dict[str, list[tuple[float, float]]], other: dict[str, list[tuple[float, float]]]) -> list[str]:
    points = [p for line in (*lines.values(), *other.values()) for p in line]
    low, high = (f(math.log10(max(p[1], 1e-4)) for p in points) for f in (min, max))
    low, high = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
    first, last = (f(math.log10(p[0]) for p in points) for f in (min, max))
    last = max(last, first + 1)

    def at(p: tuple[float, float]) -> str:
        x = x0 + (math.log10(p[0]) - first) / (last - first) * WIDTH
        y = TOP + HEIGHT - (math.log10(max(p[1], 1e-4)) - low) / (high - low) * HEIGHT
        return f"{x:.1f},{y:.1f}"

    out = [f'<text x="{x0}" y="{TOP - 14}" class="title">{title}</text>']
    for power in range(low, high + 1):
        y = TOP + HEIGHT - (power - low) / (high - low) * HEIGHT
        label = f"{10**power:g}" if abs(power) < 5 else f"1e{power}"
        out.append(f'<line x1="{x0}" x2="{x0 + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/><text x="{x0 - 6}" y="{y + 4:.1f}" class="right">{label} {unit}</text>')
    for power in range(round(first), round(last) + 1):
        x = x0 + (power - first) / (last - first) * WIDTH
        out.append(f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" class="middle">{10**power:,}</text>')
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

    def lines(key: str, scale: float = 1.0) -> dict[str, list[tuple[float, float]]]:
        return {kind: [(r["faces"], r[key] * scale) for r in data["runs"] if r["kind"] == kind] for kind in kinds}

    panels = [
        ("One query, top 5 (dashed: faiss-cpu)", "ms", lines("top5_ms"), lines("faiss_cpu_top5_ms")),
        ("Memory per face", "B", lines("index_bytes_per_face"), {}),
        ("Building and saving", "s", lines("build_and_save_s"), {}),
    ]
    width = LEFT + len(panels) * (WIDTH + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 74}" font-family="sans-serif" font-size="12">',
        "<style>.title{font-size:14px;font-weight:bold}.grid{stroke:#ddd}.right{text-anchor:end;fill:#555}.middle{text-anchor:middle;fill:#555}"
        ".line{fill:none;stroke-width:2}.other{fill:none;stroke-width:1.4;stroke-dasharray:4 3;opacity:.7}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">Kinds of index, {data["dim"]} values, {data["cores"]} cores</text>',
    ]
    for i, (title, unit, ours, theirs) in enumerate(panels):
        out += panel(LEFT + i * (WIDTH + GAP), title, unit, ours, theirs)
    for i, kind in enumerate(kinds):
        x, y = LEFT + i * 110, TOP + HEIGHT + 50
        out.append(f'<line x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}" stroke="{COLOURS[kind]}" stroke-width="3"/><text x="{x + 32}" y="{y + 4}">{kind}</text>')
    out.append("</svg>")
    (RESULTS / "gallery_kinds.svg").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    sys.exit(main())
