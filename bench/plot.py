"""Plots as plain SVG, one for a light and one for a dark page: panels with lines on logarithmic axes, and bars.

No library draws them: what is drawn is little, and the files stay readable and small."""

import html
import math

# One line of each file; not by CSS's own variables, which not every program that shows SVG knows.
THEMES = {
    "light": {"ground": "#ffffff", "line": "#d0d7de", "ink": "#1f2328", "soft": "#59636e",
              "a": "#0969da", "b": "#bc4c00", "c": "#1a7f37", "d": "#8250df"},
    "dark": {"ground": "#0d1117", "line": "#30363d", "ink": "#e6edf3", "soft": "#9da7b3",
             "a": "#58a6ff", "b": "#ffa657", "c": "#56d364", "d": "#bc8cff"},
}
PAINT = ("text {{ fill: {ink}; }} .soft {{ fill: {soft}; }} .grid {{ stroke: {line}; }} .ground {{ fill: {ground}; }}"
         + "".join(" .fill-%s {{ fill: {%s}; }} .line-%s {{ stroke: {%s}; }}" % (4 * (of,)) for of in "abcd"))
STYLE = """
%s
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 12px; }
.name { font-size: 15px; font-weight: 600; }
.grid { stroke-width: 1; }
.plot { fill: none; stroke-width: 2; }
"""
COLOURS = "abcd"
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 470, 300, 56, 58, 46


def write(path, title, size, body):
    """path-light.svg and path-dark.svg."""
    for theme, colours in THEMES.items():
        with open("%s-%s.svg" % (path, theme), "w") as file:
            file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">\n'
                       '<title id="title">%s</title>\n<style>%s</style>\n'
                       '<rect width="100%%" height="100%%" class="ground"/>\n%s\n</svg>\n'
                       % (*size, html.escape(title), STYLE % PAINT.format(**colours), "\n".join(body)))


def text(x, y, what, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (x, y, kind, anchor, html.escape(what))


def line(x1, y1, x2, y2):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="grid"/>' % (x1, y1, x2, y2)


def short(value):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return "%g%s" % (round(value / size, 1), unit)
    return "%g" % value


def decades(values):
    """Powers of ten around them."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0 ** power for power in range(low, max(high, low + 1) + 1)]


def panel(left, top, title, below, series):
    """series: [(name, [(x, y)])], all above 0."""
    out = [text(left + 8, top + 20, title, "name")]
    xs, ys = (decades([point[i] for _, points in series for point in points]) for i in (0, 1))
    width, height = WIDTH - LEFT - 16, HEIGHT - TOP - BOTTOM

    def place(value, marks, length):
        return length * math.log10(value / marks[0]) / math.log10(marks[-1] / marks[0])
    for x in xs:
        at = left + LEFT + place(x, xs, width)
        out += [line(at, top + TOP, at, top + TOP + height), text(at, top + TOP + height + 16, short(x), "soft", "middle")]
    for y in ys:
        at = top + TOP + height - place(y, ys, height)
        out += [line(left + LEFT, at, left + LEFT + width, at), text(left + LEFT - 6, at + 4, short(y), "soft", "end")]
    out.append(text(left + LEFT + width / 2, top + HEIGHT - 8, below, "soft", "middle"))
    at = left + 8
    for colour, (name, points) in zip(COLOURS, series):
        placed = [(left + LEFT + place(x, xs, width), top + TOP + height - place(y, ys, height)) for x, y in points]
        out.append('<polyline class="plot line-%s" points="%s"/>'
                   % (colour, " ".join("%.1f,%.1f" % point for point in placed)))
        out += ['<circle cx="%.1f" cy="%.1f" r="3.5" class="fill-%s"/>' % (*point, colour) for point in placed]
        out += ['<rect x="%.1f" y="%.1f" width="10" height="10" class="fill-%s"/>' % (at, top + 32, colour),
                text(at + 14, top + 41, name)]
        at += 26 + 6.3 * len(name)
    return out


def panels(path, title, plots):
    """plots: [(title, below, series)], two beside each other."""
    body = []
    for number, (name, below, series) in enumerate(plots):
        body += panel(number % 2 * WIDTH, number // 2 * HEIGHT, name, below, series)
    write(path, title, (WIDTH * min(len(plots), 2), HEIGHT * math.ceil(len(plots) / 2)), body)


def bars(path, title, groups):
    """groups: [(name, [(bar, value, text)])]; each group has a scale of its own."""
    body, top, width, names = [], 12, 520, 310
    for name, values in groups:
        body.append(text(12, top + 18, name, "name"))
        top += 30
        most = max(value for _, value, _ in values) or 1
        for number, (bar, value, said) in enumerate(values):
            body += [text(names - 8, top + 14, bar, "", "end"),
                     '<rect x="%d" y="%d" width="%.1f" height="18" class="fill-%s"/>' % (
                         names, top, max(width * value / most, 1), "a" if number == 0 else "b"),
                     text(names + 6 + width * value / most, top + 14, said, "soft")]
            top += 24
        top += 14
    write(path, title, (WIDTH * 2, top), body)


def picture(name, alt):
    """The Markdown that shows it on either page."""
    return ('<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="%s-dark.svg">\n'
            '  <img src="%s-light.svg" width="940" alt="%s">\n</picture>\n' % (name, name, html.escape(alt)))


