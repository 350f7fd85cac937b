"""The course's figures: one palette with one meaning per colour, a few chart types, alt text on every picture."""

import base64
import io
import warnings
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FixedFormatter, StrMethodFormatter
from PIL import Image
from torch import Tensor

# Okabe and Ito's colour-blind-safe palette; a colour keeps its meaning through all fourteen lessons.
ENCODER, DECODER, ENCODER_DECODER = "#0072B2", "#D55E00", "#009E73"
BASELINE, HIGHLIGHT, SECOND, THIRD = "#7F7F7F", "#E69F00", "#CC79A7", "#56B4E9"
MAGNITUDES = "cividis"  # the colour map of every heat map
INK, PAPER, GRID = "#1A1A1A", "#FFFFFF", "#D9D9D9"
PIXELS_PER_INCH, SHARPNESS = 80, 2  # a figure of 9 inches is shown 720 pixels wide and stored at twice that

_STYLE = {
    "figure.figsize": (9.0, 4.5),
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "axes.titlesize": 15,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 13,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 2.5,
    "lines.markersize": 7,
    "hatch.color": "#9A9A9A",
    "text.parse_math": False,  # a dollar sign that a reader types starts no formula
}


def use_style() -> None:
    """Make the course's style the default of every figure drawn from here on."""
    plt.rcParams.update(_STYLE)


def show(figure: Figure, alt: str) -> None:
    """Display ``figure`` as a PNG whose alternative text is ``alt``, and close it.

    The text says what a reader who cannot see the picture needs to know: the kind of chart, its axes, what it shows.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"alt text must say what the figure shows, in a sentence; got {alt!r}.")
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if axis.get_scale() == "log" and not isinstance(axis.get_major_formatter(), FixedFormatter):
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))  # matplotlib would write powers as formulas
    drawn, stored = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands for it, as in any program
        # "tight" makes room for labels that a picture with square cells would otherwise cut off.
        figure.savefig(drawn, format="png", dpi=PIXELS_PER_INCH * SHARPNESS, bbox_inches="tight")
    plt.close(figure)
    picture = Image.open(drawn).convert("RGB")
    # 256 colours are enough for a chart, and take a third of the bytes.
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(stored, "PNG", optimize=True)
    width = picture.width // SHARPNESS
    image = base64.b64encode(stored.getvalue()).decode("ascii")
    display({"image/png": image, "text/plain": alt}, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)


def lines(
    axes: Axes,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    colours: Mapping[str, str] | None = None,
    markers: bool = True,
) -> Axes:
    """Draw named curves, each ``(x, y)``, with the name beside the curve's end, so that no legend has to be matched."""
    palette = [ENCODER, DECODER, ENCODER_DECODER, HIGHLIGHT, SECOND, THIRD, BASELINE]
    ends = []
    for index, (name, (x, y)) in enumerate(series.items()):
        colour = (colours or {}).get(name, palette[index % len(palette)])
        axes.plot(x, y, color=colour, marker="o" if markers else None)
        ends.append((x[-1], y[-1], name, colour))
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    _label_ends(axes, ends)
    return axes


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each curve's name at its end, moved apart where two ends would overlap."""
    axes.figure.canvas.draw()  # the scale must be final before heights can be compared
    line_height = 1.25 * plt.rcParams["font.size"] / 72 * axes.figure.dpi
    lowest = -np.inf
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        pixel = axes.transData.transform((x, y))[1]
        lowest = max(pixel, lowest + line_height)
        offset = (lowest - pixel) * 72 / axes.figure.dpi
        axes.annotate(
            name,
            (x, y),
            xytext=(10, offset),
            textcoords="offset points",
            color=colour,
            va="center",
            weight="bold",
            annotation_clip=False,
        )


def bars(
    axes: Axes,
    values: Mapping[str, float],
    *,
    y_label: str,
    title: str = "",
    colours: Mapping[str, str] | None = None,
    spread: Mapping[str, float] | None = None,
    digits: int = 2,
) -> Axes:
    """Draw named bars with their values written above; ``spread`` adds an error bar of that half-length to a name."""
    names = list(values)
    heights = [values[name] for name in names]
    errors = [(spread or {}).get(name, 0.0) for name in names]
    shades = [(colours or {}).get(name, ENCODER) for name in names]
    drawn = axes.bar(names, heights, color=shades, width=0.6, yerr=errors if spread else None, capsize=5, ecolor=INK)
    axes.bar_label(drawn, labels=[f"{height:.{digits}f}" for height in heights], padding=4, weight="bold")
    axes.set(ylabel=y_label, title=title)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)
    return axes


def heatmap(
    axes: Axes,
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    numbers: bool = False,
    masked: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw ``values`` (rows, columns) as a heat map; cells where ``masked`` is True are hatched, not drawn as zero."""
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    shown = np.ma.masked_array(values, mask=np.zeros(values.shape, bool) if masked is None else masked)
    axes.imshow(shown, cmap=MAGNITUDES, vmin=low, vmax=high, aspect="auto" if values.size > 400 else "equal")
    axes.set_xticks(range(len(columns)), columns, rotation=0 if max(map(len, columns)) <= 4 else 45)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(visible=False)
    for row, column in np.ndindex(values.shape):
        if shown.mask[row, column]:
            axes.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="///", linewidth=0))
        elif numbers:
            bright = high > low and (values[row, column] - low) / (high - low) > 0.5
            text = f"{values[row, column]:z.2f}"
            axes.text(column, row, text, ha="center", va="center", color=INK if bright else PAPER, fontsize=11)
    return axes


def mask(
    axes: Axes,
    allowed: Tensor | np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    colour: str,
    title: str = "",
) -> Axes:
    """Draw who may look at whom: a cell (row, column) is coloured where ``allowed`` is True, hatched where False."""
    allowed = np.asarray(allowed, dtype=bool)
    for row, column in np.ndindex(allowed.shape):
        look = {"facecolor": colour} if allowed[row, column] else {"facecolor": PAPER, "hatch": "///"}
        axes.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, edgecolor=PAPER, linewidth=2.5, **look))
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), aspect="equal", anchor="N", title=title)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def unrolled(axes: Axes, cells: Sequence[tuple[str, str, str]], *, title: str = "") -> Axes:
    """Draw a recurrent network unrolled in time, one box a step, the state as the arrow from each box to the next.

    Each cell is ``(input, output, colour)``: what it reads, below; what it gives out, above ("" for nothing).
    """
    up = {"arrowstyle": "-|>", "color": BASELINE, "linewidth": 1.8}
    for step, (read, written, colour) in enumerate(cells):
        place = {"boxstyle": "round,pad=0.06", "facecolor": colour, "edgecolor": "none"}
        axes.add_patch(FancyBboxPatch((step - 0.24, -0.2), 0.48, 0.4, **place))
        axes.text(step, -0.95, read, ha="center", va="top", fontsize=14, color=INK)
        axes.annotate("", (step, -0.3), (step, -0.9), arrowprops=up)
        if written:
            axes.text(step, 0.95, written, ha="center", va="bottom", fontsize=14, color=colour, weight="bold")
            axes.annotate("", (step, 0.9), (step, 0.3), arrowprops=up)
        if step:
            state = {"arrowstyle": "-|>", "color": cells[step - 1][2], "linewidth": 3}
            axes.annotate("", (step - 0.31, 0), (step - 0.69, 0), arrowprops=state)
    axes.text(0.5, 0.12, "state", ha="center", va="bottom", fontsize=12, color=cells[0][2])
    axes.set(xlim=(-0.6, len(cells) - 0.4), ylim=(-1.4, 1.4), title=title)
    axes.set_axis_off()
    return axes


def flow(
    axes: Axes, stages: Sequence[tuple[str, str, str]], *, title: str = "", around: Sequence[tuple[int, int]] = ()
) -> Axes:
    """Draw a pipeline as boxes joined by arrows; each stage is ``(name, what it holds or its shape, colour)``.

    Each pair in ``around`` is a second way above the boxes, from one stage, counted from 0, to a later one.
    """
    for index, (name, content, colour) in enumerate(stages):
        box = FancyBboxPatch(
            (index * 1.35, 0), 1, 0.62, boxstyle="round,pad=0.04", facecolor=colour, alpha=0.16, edgecolor="none"
        )
        axes.add_patch(box)
        axes.text(index * 1.35 + 0.5, 0.44, name, ha="center", va="center", fontsize=15, weight="bold", color=colour)
        axes.text(index * 1.35 + 0.5, 0.16, content, ha="center", va="center", fontsize=13, color=INK)
        if index:
            tip = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.8}
            axes.annotate("", (index * 1.35 - 0.06, 0.31), (index * 1.35 - 0.29, 0.31), arrowprops=tip)
    for start, end in around:
        bend = "bar,armA=-16,armB=-16,fraction=0"  # straight up, across and down
        way = {"arrowstyle": "-|>", "color": INK, "linewidth": 2.5, "connectionstyle": bend}
        axes.annotate("", (end * 1.35 + 0.5, 0.68), (start * 1.35 + 0.5, 0.68), arrowprops=way)
    axes.set(xlim=(-0.1, len(stages) * 1.35 - 0.2), ylim=(-0.15, 1.2 if around else 0.8), title=title)
    axes.set_axis_off()
    return axes
