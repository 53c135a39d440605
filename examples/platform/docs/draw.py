#!/usr/bin/env python3
"""Draws architecture.svg from architecture.txt and data-model.svg from the migrations. Only the standard library.

    python3 examples/platform/docs/draw.py

architecture.txt: `box NAME COLUMN ROW | TITLE | line | line`, `arrow FROM TO LABEL`.
"""

import re
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
STYLE = """<style>
text{font:13px system-ui,sans-serif;fill:#1c2733}.t{font-weight:600}.s{font-size:11px;fill:#51606f}
rect{fill:#f6f8fa;stroke:#8aa0b4;rx:6}path{fill:none;stroke:#5b7a99;stroke-width:1.4}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9fb0c0}rect{fill:#182430;stroke:#4a6178}path{stroke:#7f9cb8}}
</style><defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 8 4 0 8" /></marker></defs>"""


def svg(width, height, title, body):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{STYLE}{body}</svg>\n"
    )


def box(x, y, width, lines):
    height = 24 + 17 * (len(lines) - 1) + 6
    text = "".join(
        f'<text x="{x + 10}" y="{y + 19 + 17 * i}" class="{"s" if i else "t"}">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    return (x, y, width, height), f'<rect x="{x}" y="{y}" width="{width}" height="{height}"/>{text}'


def arrow(a, b, label):
    """From the side of one box to the facing side of the other."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    if bx >= ax + aw or ax >= bx + bw:
        right = bx >= ax + aw
        start = (ax + aw if right else ax, ay + ah / 2)
        end = (bx if right else bx + bw, by + bh / 2)
        middle = (start[0] + end[0]) / 2
        line = f"M{start[0]} {start[1]}C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}"
    else:
        down = by >= ay + ah
        start = (ax + aw / 2, ay + ah if down else ay)
        end = (bx + bw / 2, by if down else by + bh)
        middle = (start[1] + end[1]) / 2
        line = f"M{start[0]} {start[1]}C{start[0]} {middle} {end[0]} {middle} {end[0]} {end[1]}"
    at = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 5)
    text = f'<text x="{at[0]}" y="{at[1]}" class="s" text-anchor="middle">{escape(label)}</text>' if label else ""
    return f'<path d="{line}" marker-end="url(#a)"/>{text}'


def architecture():
    places, bodies, arrows = {}, [], []
    for line in (HERE / "architecture.txt").read_text().splitlines():
        head, *rest = [part.strip() for part in line.split("|")]
        words = head.split()
        if words[:1] == ["box"]:
            name, column, row = words[1], float(words[2]), float(words[3])
            places[name], body = box(20 + 285 * column, 20 + 105 * row, 205, rest)
            bodies.append(body)
        elif words[:1] == ["arrow"]:
            arrows.append((words[1], words[2], " ".join(words[3:])))
    lines = [arrow(places[a], places[b], label) for a, b, label in arrows]
    width = max(x + w for x, _, w, _ in places.values()) + 20
    height = max(y + h for _, y, _, h in places.values()) + 20
    (HERE / "architecture.svg").write_text(svg(width, height, "The roles of the platform and what flows between them", "".join(lines + bodies)))


def data_model():
    tables, links = [], []
    for file in sorted((HERE.parent / "migrations").glob("*.sql")):
        for name, text in re.findall(r"CREATE TABLE (\w+) \(\n(.*?)\n\);", file.read_text(), re.S):
            columns = [line.split("--")[0].strip().rstrip(",") for line in text.splitlines()]
            links += [(name, other) for column in columns for other in re.findall(r"REFERENCES (\w+)", column)]
            columns = [column for column in columns if column and not column.startswith(("PRIMARY KEY", "FOREIGN KEY"))]
            tables.append((name, [re.sub(r" (NOT NULL|ON DELETE CASCADE|REFERENCES.*)", "", column) for column in columns]))
    # The gallery's part, which facerec-core owns.
    tables.append(("person (gallery)", ["id", "name", "created_ms"]))
    tables.append(("face (gallery)", ["id", "person", "vector", "quality", "source", "created_ms"]))
    links += [("face (gallery)", "person (gallery)"), ("photo", "face (gallery)"), ("track", "person (gallery)")]
    order = [["photo", "face (gallery)", "person (gallery)"], ["job", "session", "track", "mention"]]
    order += [["upload", "result", "set_aside", "event", "forgotten", "known_as"], ["api_key", "webhook", "delivery", "setting", "litter", "answer"]]
    columns, places, bodies = dict(tables), {}, []
    assert sorted(columns) == sorted(sum(order, [])), "a table has no place in the drawing"
    for number, names in enumerate(order):
        y = 20
        for name in names:
            places[name], body = box(20 + 290 * number, y, 215, [name, *columns[name]])
            bodies.append(body)
            y += places[name][3] + 34
    lines = [arrow(places[a], places[b], "") for a, b in links]
    height = max(y + h for _, y, _, h in places.values()) + 20
    (HERE / "data-model.svg").write_text(svg(1125, height, "The tables of the platform", "".join(bodies + lines)))


architecture()
data_model()
