import math
import re
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attention_samples import weights
from tests.support.view_outputs import image_of, pixels_of, refusal_faults, stored
from utils.explorers import delivery
from utils.explorers.compare import CompareView
from utils.explorers.compare_curves import COLOURS, ticks
from utils.explorers.weights import decoded

TOKENS = ["the", "black", "cat", "sat"]
X, SERIES = [1, 2, 4], {"without": [0.5, 0.4, 0.1], "with": [0.5, math.nan, 0.45]}


def curves(series=SERIES, x=X, **options):
    return CompareView.curves(series, x, **{"x_label": "length", "y_label": "BLEU", **options})


# --- two maps


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.booleans())
def test_weights_are_the_given_ones_whatever_the_layers_and_heads(layers, heads, others, size, causal):
    one, other = weights(layers, 1, heads, size, size, causal=causal), weights(others, 2, heads + 1, size, size, seed=3)
    header, arrays = stored(CompareView(one, other, ["t"] * size, examples=(0, 1)))
    for side, (given_weights, example) in enumerate(((one, 0), (other, 1))):
        found = decoded(arrays[header["maps"][side]["stored"]])
        assert np.abs(found - given_weights[:, example].numpy()).max() < 0.004
        assert len(header["maps"][side]["choices"][0]) == len(given_weights)
        assert header["maps"][side]["heads"] == given_weights.shape[2]
    assert header["equal"] == [layers == others, False]
    assert header["together"] is False
    assert arrays["shut0"].any() == (causal and size > 1)


def test_difference_is_accurate_to_a_hundredth_even_where_both_are_rounded():
    one, other = weights(1, 1, 1, 64, 64), weights(1, 1, 1, 64, 64, seed=2)
    _, arrays = stored(CompareView(one, other, ["t"] * 64))
    shown = decoded(arrays["weights1"]) - decoded(arrays["weights0"])
    assert np.abs(shown - (other - one)[:, 0].numpy()).max() < 0.008


def test_transformers_tuples_and_cross_attention():
    layers = tuple(weights(2, 3, 5, 4, seed=seed) for seed in (1, 2))
    header, arrays = stored(CompareView(layers, None, TOKENS, ["q"] * 5, examples=(0, 1)))
    assert [header["maps"][0][which] for which in ("from", "to")] == [["q"] * 5, TOKENS]
    for example in (0, 1):
        expected = torch.stack([layer[example] for layer in layers]).numpy()
        assert np.abs(decoded(arrays[f"weights{example}"]) - expected).max() < 0.004
    assert header["together"] is True


def test_one_model_is_stored_once_and_starts_at_two_layers_or_heads():
    cases = (((3, 1, 2), [[0, 0], [2, 0]]), ((1, 1, 2), [[0, 1], [0, 2]]))
    for shape, start in cases:
        header, arrays = stored(CompareView(weights(*shape, 4, 4), None, TOKENS))
        assert [side["start"] for side in header["maps"][:2]] == start
        assert "weights1" not in arrays
        assert {side["stored"] for side in header["maps"][:2]} == {"weights0"}
    given_twice = weights(2, 1, 2, 4, 4)
    assert "weights1" not in stored(CompareView(given_twice, given_twice, TOKENS))[1]


def test_chosen_layers_and_start():
    one, other = weights(4, 1, 2, 4, 4), weights(4, 1, 2, 4, 4, seed=2)
    made = CompareView(one, other, TOKENS, layers=[1, 3], start=((1, None), (3, 1)), names=("BERT", "mine"))
    header, arrays = stored(made)
    assert header["maps"][0]["choices"] == [["layer 1", "layer 3"], ["mean of 2 heads", "head 0", "head 1"]]
    assert [side["start"] for side in header["maps"][:2]] == [[0, 0], [1, 2]]
    assert np.abs(decoded(arrays["weights1"])[1] - other[3, 0].numpy()).max() < 0.004
    assert "BERT: 2 × 2 (layers × heads), 4 × 4 tokens; layer 1, mean of 2 heads" in made.summary
    assert "mine: 2 × 2 (layers × heads), 4 × 4 tokens; layer 3, head 1" in made.summary


def test_summary_says_how_far_apart_both_are():
    one, other = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    made = CompareView(one, other, ["a", "b"], second_tokens=["a", "c"])
    assert "Mean Jensen–Shannon divergence of the rows 0.5000 bits, total variation 0.5000" in made.summary
    assert "Largest difference “b/c” → “a”: 0.0000 → 1.0000 (+1.0000)" in made.summary
    assert made.summary.count("mean entropy 0.0000 bits") == 2


def test_masked_tokens_and_rows_that_look_at_nothing_are_left_out():
    one = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    other = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    made = CompareView(one, other, list("abc"), mask=[True, True, False])
    assert "Mean Jensen–Shannon divergence of the rows 0.0000 bits" in made.summary
    _, arrays = stored(made)
    for side in ("shut0", "shut1"):  # one mask is for both sides
        assert arrays[side].tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 1]]
    _, arrays = stored(CompareView(one, other, list("abc"), mask=[True, True, False], second_mask=[True] * 3))
    assert (arrays["shut0"].sum(), arrays["shut1"].sum()) == (5, 0)
    empty = CompareView(torch.zeros(2, 2), torch.eye(2), ["a", "b"])
    assert "There is no row in which both look at something." in empty.summary


def test_masks_of_a_batch_belong_to_their_examples():
    padded = torch.tensor([[True, True, False], [True, True, True]])
    batch = weights(2, 2, 3, 3).mul(1.0)
    batch[0] = batch[0] * padded[0]
    batch = batch / batch.sum(dim=-1, keepdim=True)
    _, arrays = stored(CompareView(batch, None, list("abc"), examples=(0, 1), mask=padded, second_tokens=list("abd")))
    assert arrays["shut0"].sum() == 5
    assert arrays["shut1"].sum() == 0


def test_inputs_of_different_length_have_no_difference_map():
    made = CompareView(weights(2, 1, 2, 3, 3), weights(2, 1, 2, 4, 4), list("abc"), second_tokens=TOKENS)
    header, _ = stored(made)
    assert len(header["maps"]) == 2
    assert header["apart"].startswith("No difference map: the two have 3 × 3 and 4 × 4 tokens")
    assert header["apart"] in made.summary
    assert "and of their difference" not in image_of(made)["alt"]


def test_bad_input_gets_one_plain_sentence():
    six_layers = [weights(6, 1, 12, 256, 256, seed=seed) for seed in (1, 2)]
    large = dict(zip(("first", "second"), six_layers, strict=True)) | {"tokens": ["t"] * 256}
    cases = [
        ({"first": None}, "first is None: .* attn_implementation"),
        ({"second": [[0.5, 0.2]]}, "second has 1 rows but there are 4 tokens"),
        ({"tokens": None}, "tokens is None; give one string for each position"),
        ({"tokens": "abcd"}, "tokens is one string"),
        ({"tokens": [1, 2, 3, 4]}, "tokens holds 1 at place 0"),
        ({"second_tokens": ["a"]}, "second has 4 rows but there is 1 token"),
        ({"second_target_tokens": ["a"]}, "second has 4 rows but there is 1 token"),
        ({"names": ("a", "a")}, r"the names are \('a', 'a'\); they must be different strings"),
        ({"names": "ab"}, "the names are 'ab'"),
        ({"names": ("a", 1)}, "they must be different strings"),
        ({"names": ("a", "b", "c")}, "names has 3 entries; it must have two"),
        ({"examples": (0,)}, "examples has 1 entries"),
        ({"examples": (0, 1)}, "example is 1, but the batch of .*second has 1"),
        ({"layers": [2]}, "layers names layer 2, but first has 2"),
        ({"layers": []}, r"layers is \[\]; name at least one layer"),
        ({"start": ((0, None), (2, None))}, "start names layer 2 of the second side, which shows the layers 0, 1"),
        ({"start": ((0, 3), (0, 0))}, "start names head 3 of the first side, which has 2"),
        ({"start": (0, 1)}, "start holds 0; it must be a"),
        ({"mask": [True]}, r"the mask of tokens has shape \(1,\), but there are 4 tokens"),
        ({"mask": [True, True, True, False]}, "mask calls some tokens padding, yet in first a token gives one of them"),
        ({"first": weights(1, 1, 1, 4, 4), "second": None}, "first has one layer and one head, so there is nothing"),
        (large, r"would take about .* MB.* show fewer layers at a time, .*layers=range\("),
    ]
    one, other = (weights(2, 1, 2, 4, 4, seed=seed) for seed in (1, 2))
    assert refusal_faults(CompareView, cases, first=one, second=other, tokens=TOKENS) == []
    assert CompareView(**large, layers=[0, 5]).html


def test_description_and_picture_show_what_differs():
    same, other = weights(1, 1, 1, 4, 4), weights(1, 1, 1, 4, 4, seed=2)
    made = CompareView(same, other, TOKENS)
    assert "Largest difference “" in image_of(made)["alt"]
    assert "Largest difference “" in made.summary

    def colourful(made):
        difference = pixels_of(made)[140:230, 2 * 304 + 90 : 2 * 304 + 190]
        return np.abs(difference[..., 0] - difference[..., 2]).max()  # of greys none

    assert colourful(CompareView(same, same.clone(), TOKENS)) < 20
    assert colourful(made) > 60
    few = pixels_of(made)
    for end in ((253, 231, 55), (0, 114, 178), (213, 94, 0), (0, 34, 78)):
        assert np.abs(few - end).max(axis=2).min() < 12, end  # in the ramps of the legend, if nowhere else


# --- curves


def test_curves_keep_their_numbers_and_gaps():
    made = curves(intervals={"with": ([0.4, math.nan, 0.3], [0.6, math.nan, 0.5])}, baseline="with")
    header, arrays = stored(made)
    assert (header["names"], header["baseline"]) == (["without", "with"], 1)
    assert np.allclose(arrays["values"], [[0.5, 0.4, 0.1], [0.5, np.nan, 0.45]], equal_nan=True)
    assert np.isnan(arrays["low"][0]).all()
    assert np.allclose(arrays["high"][1], [0.6, np.nan, 0.5], equal_nan=True)
    assert made.summary.splitlines() == [
        "BLEU by length, 3 points, 1 to 4.",
        "without: 0.5 at 1 → 0.1 at 4.",
        "with: 0.5 at 1 → 0.45 at 4; 1 not measured.",
        "Largest difference from with: without, -0.35 at 4.",
    ]
    assert "low" not in stored(curves())[1]


def test_curves_read_tensors_and_one_point():
    made = curves({"loss": torch.tensor([2.5])}, torch.tensor([100]))
    assert "loss: 2.5 at 100 → 2.5 at 100." in made.summary
    assert stored(made)[1]["x"].tolist() == [100.0]


@settings(max_examples=50)
@given(*[st.floats(-1e6, 1e6, allow_subnormal=False)] * 2)
def test_ticks_are_round_and_enclose_the_numbers(one, other):
    low, high = sorted((one, other))
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 8
    slack = 1e-6 * (high - low + abs(low) + 1e-9)
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack


def test_the_page_draws_in_the_still_pictures_colours():
    """One colour for each curve that is let in: a curve without one would not be seen."""
    palette = re.search('const PALETTE = "([^"]*)"', (Path(delivery.__file__).parent / "chart.js").read_text("utf-8"))
    assert tuple(palette[1].split()) == COLOURS


def test_description_and_picture_show_how_curves_run():
    made = curves()
    for said in (image_of(made)["alt"], made.summary):
        assert "Largest difference from without" in said
    for colour in COLOURS[:2]:
        wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (np.abs(pixels_of(made) - wanted).max(axis=2) < 40).sum() > 100


def test_bad_curves_get_one_plain_sentence():
    cases = [
        ({"series": [[1, 2, 3]]}, r"series is \[\[1, 2, 3\]\]; it must be a mapping of 1 to 7 names"),
        ({"series": {}}, "series holds 0; it must be a mapping"),
        ({"series": {str(name): [1, 2, 3] for name in range(8)}}, "series holds 8"),
        ({"series": {"a": [1, 2]}}, "the curve 'a' has 2 numbers but x has 3"),
        ({"series": {"a": ["x", 1, 2]}}, "the curve 'a' must hold numbers"),
        ({"series": {"a": [[1, 2, 3]]}}, r"the curve 'a' has shape \(1, 3\)"),
        ({"series": {"a": [1, math.inf, 2]}}, "the curve 'a' holds infinity"),
        ({"series": {"a": [math.nan] * 3}}, "the curve 'a' holds no number at all"),
        ({"series": {1: [1, 2, 3]}}, "they must be different strings"),
        ({"x": []}, "x has 0 points; a curve has 1 to 2,000"),
        ({"x": range(3000)}, "x has 3,000 points"),
        ({"x": [1, 2, 2]}, "x goes from 2 to 2; it must increase"),
        ({"x": [1, math.nan, 2]}, "x holds NaN or infinity"),
        ({"x": ["a", "b", "c"]}, "x must hold numbers"),
        ({"baseline": "none"}, "baseline names 'none', but the curves are 'without', 'with'"),
        ({"intervals": {"none": ([], [])}}, "intervals names 'none'"),
        ({"intervals": {"with": [1, 2, 3]}}, r"the interval of 'with' must be \(low, high\)"),
        ({"intervals": {"with": ([0.1], [0.9])}}, "the low end of 'with' has 1 numbers but x has 3"),
        ({"intervals": {"with": ([0.6] * 3, [0.9] * 3)}}, "the interval of 'with' at point 0 is 0.6 to 0.9"),
        ({"x_label": None}, "x_label and y_label are None and 'BLEU'; both must be strings"),
    ]
    assert refusal_faults(curves, cases) == []
