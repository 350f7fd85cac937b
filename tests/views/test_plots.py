import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from utils import plots

ALT = "A line chart of loss against step, which falls."


@pytest.fixture
def shown(monkeypatch):
    """Collect what ``plots.show`` displays."""
    displayed = []
    monkeypatch.setattr(plots, "display", lambda data, metadata, raw: displayed.append((data, metadata, raw)))
    with plt.rc_context():
        plots.use_style()
        yield displayed
    plt.close("all")


def picture(shown) -> np.ndarray:
    data, _, _ = shown[-1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))


def test_a_figure_carries_its_alternative_text_and_half_its_pixels_as_width(shown):
    figure, axes = plt.subplots()
    plots.lines(axes, {"loss": ([0, 1], [2.0, 1.0])}, x_label="step", y_label="loss (nats)")
    plots.show(figure, alt=ALT)
    data, metadata, raw = shown[0]
    assert raw
    assert data["text/plain"] == metadata["image/png"]["alt"] == ALT
    assert picture(shown).shape[1] // 2 == metadata["image/png"]["width"]
    assert not plt.fignum_exists(figure.number)


def test_the_palette_survives_the_smaller_file(shown):
    figure, axes = plt.subplots()
    palette = [plots.ENCODER, plots.DECODER, plots.ENCODER_DECODER, plots.BASELINE, plots.HIGHLIGHT, plots.SECOND]
    axes.bar(range(6), [1] * 6, color=palette, width=1)
    plots.show(figure, alt=ALT)
    colours = {tuple(colour) for colour in picture(shown).reshape(-1, 3)}
    for colour in [plots.PAPER, *palette]:
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        assert min(np.abs(wanted - np.array(near)).max() for near in colours) <= 2, colour


@pytest.mark.parametrize("alt", ["", "a chart"])
def test_a_figure_without_a_sentence_is_refused(shown, alt):
    with pytest.raises(ValueError, match="alt text must say"):
        plots.show(plt.figure(), alt=alt)


def test_the_same_figure_gives_the_same_bytes(shown):
    for _ in range(2):
        figure, axes = plt.subplots()
        plots.bars(axes, {"a": 1.0, "b": 2.0}, y_label="score")
        plots.show(figure, alt=ALT)
    assert shown[0] == shown[1]


def test_labels_of_curves_that_end_together_do_not_overlap(shown):
    figure, axes = plt.subplots()
    ends = {name: ([0, 1], [0.0, 1.0 + shift]) for name, shift in (("one", 0.0), ("two", 0.001), ("three", 0.002))}
    plots.lines(axes, ends, x_label="x", y_label="y")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.texts]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_masked_cells_are_hatched_and_not_drawn_as_zero(shown):
    values, masked = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[False, True], [False, False]])
    axes = plt.figure().subplots()
    plots.heatmap(axes, values, rows=["a", "b"], columns=["c", "d"], masked=masked, numbers=True)
    assert [patch.get_hatch() for patch in axes.patches] == ["///"]
    assert len(axes.texts) == 3
    assert axes.images[0].get_array().mask.tolist() == masked.tolist()


def test_bars_show_their_values_and_their_spread(shown):
    axes = plt.figure().subplots()
    plots.bars(axes, {"a": 0.123, "b": 0.5}, y_label="score", spread={"a": 0.1})
    assert [text.get_text() for text in axes.texts] == ["0.12", "0.50"]


def test_an_unrolled_network_has_a_box_for_each_step_and_a_state_between(shown):
    figure, axes = plt.subplots()
    cells = [("the", "", plots.ENCODER), ("cat", "", plots.ENCODER), ("<s>", "le", plots.DECODER)]
    plots.unrolled(axes, cells)
    written = [text.get_text() for text in axes.texts]
    assert {"the", "cat", "<s>", "le", "state"} <= set(written)
    assert len(axes.patches) == 3
    arrows = [text for text in axes.texts if text.get_text() == ""]
    assert len(arrows) == 3 + 1 + 2  # three inputs, one output, two states handed on
    plots.show(figure, alt=ALT)
    assert picture(shown).std() > 5


@pytest.mark.parametrize("typed", [r"$\foo$", "$$ money", "a_b^c", "日本語", "🦙", "\x00"])
def test_whatever_a_reader_types_can_be_a_title_and_a_label(shown, typed, recwarn):
    figure, axes = plt.subplots()
    plots.bars(axes, {typed: 1.0, "other": 2.0}, y_label="score", title=typed)
    plots.show(figure, alt=ALT)
    assert [str(warning.message) for warning in recwarn] == []


def test_a_logarithmic_axis_is_labelled_with_plain_numbers(shown):
    figure, axes = plt.subplots()
    plots.lines(axes, {"loss": ([1, 2, 3], [1.0, 30.0, 1000.0])}, x_label="step", y_label="perplexity")
    axes.set_yscale("log")
    plots.show(figure, alt=ALT)
    assert {"1", "10", "100", "1000"} <= {label.get_text() for label in axes.get_yticklabels()}


def test_flow_writes_every_stage_and_a_way_around_goes_above_the_boxes_to_a_later_one(shown):
    figure, axes = plt.subplots()
    stages = [(name, f"({place}, 5)", plots.INK) for place, name in enumerate(("in", "norm", "attend", "+"))]
    plots.flow(axes, stages, title="shapes")
    assert {text for stage in stages for text in stage[:2]} <= {text.get_text() for text in axes.texts}
    plots.flow(around := figure.add_subplot(), stages, around=[(0, 3)])
    assert len(around.texts) == len(axes.texts) + 1
    way = around.texts[-1]
    boxes = [patch.get_x() + patch.get_width() / 2 for patch in around.patches]
    assert [way.xyann[0], way.xy[0]] == pytest.approx([boxes[0], boxes[3]])
    figure.canvas.draw()
    tops = [patch.get_window_extent().y1 for patch in around.patches]
    drawn = way.arrow_patch.get_window_extent()
    assert max(tops) < drawn.y0
    assert drawn.y1 < around.get_window_extent().y1
    plots.show(figure, alt=ALT)
    assert picture(shown).std() > 5  # something is drawn
