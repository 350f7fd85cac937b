import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attention_samples import noise
from tests.support.view_outputs import image_of, pixels_of, refusal_faults, stored
from utils.explorers import PositionsView
from utils.explorers.positions import MOST_NUMBERS, MOST_POSITIONS


def sinusoidal(length, size):
    """Vaswani et al. (2017), section 3.5, written out number by number."""
    rows = []
    for position in range(length):
        angles = [position / 10_000 ** (even / size) for even in range(0, size, 2)]
        rows.append([wave(angle) for angle in angles for wave in (math.sin, math.cos)][:size])
    return torch.tensor(rows)


def table_of(made):
    """Return the first table as the browser decodes it."""
    _, arrays = stored(made)
    values = torch.from_numpy(arrays["values0"])
    if values.dtype == torch.float32:
        return values
    return (values.float() - 128) / 127 * torch.from_numpy(arrays["largest0"])[:, None]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(2, 9), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_table_is_stored_as_it_is_whatever_its_shape(positions, size, scale, seed):
    table = scale * noise(positions, size, seed=seed)
    made = PositionsView(table)
    torch.testing.assert_close(table_of(made), table, rtol=2e-5, atol=0)
    header, arrays = stored(made)
    assert (header["tables"][0]["positions"], header["tables"][0]["size"]) == (positions, size)
    assert len(arrays["turns0"]) == math.ceil(size / 2)
    products = table.double() @ table.double().T
    norms = products.diagonal().sqrt()
    cosines = products / norms.outer(norms)
    for distance in range(positions):
        for kind, expected in enumerate((products, cosines)):
            row = expected.diagonal(distance)
            low, high = arrays["by_distance0"][kind, :, distance]
            assert low == pytest.approx(row.min().item(), rel=1e-5, abs=1e-6 * scale**2)
            assert high == pytest.approx(row.max().item(), rel=1e-5, abs=1e-6 * scale**2)


def test_large_table_is_stored_to_a_250th_of_each_positions_largest_number():
    table = noise(512, 384)
    table[0, 7] = 40.0
    table[3] = 0.0
    made = PositionsView(table)
    assert stored(made)[1]["values0"].dtype == np.uint8
    assert ((table_of(made) - table).abs() <= table.abs().amax(dim=1, keepdim=True) / 250).all()
    assert torch.equal(table_of(made)[3], table[3])


def test_sines_and_cosines_turn_once_in_their_wavelength():
    header, arrays = stored(PositionsView(sinusoidal(128, 64)))
    expected = 10_000 ** (-np.arange(0, 64, 2) / 64)
    np.testing.assert_allclose(arrays["turns0"], expected, rtol=1e-3)
    assert header["tables"][0]["alone"] is True
    backwards = sinusoidal(50, 8).flip(1)  # cosines before sines: the hand turns the other way
    np.testing.assert_allclose(stored(PositionsView(backwards))[1]["turns0"], -expected[[24, 16, 8, 0]], rtol=1e-3)
    coarse = sinusoidal(128, 64).bfloat16()
    assert np.isfinite(stored(PositionsView(coarse))[1]["turns0"]).all()


@pytest.mark.parametrize(
    "table",
    [
        noise(128, 2),
        torch.ones(9, 2),  # stands still
        torch.zeros(9, 2),
        sinusoidal(128, 2) * torch.linspace(1, 1.1, 128)[:, None],  # grows
        sinusoidal(128, 2) + 0.1,  # does not turn around 0
        torch.stack(
            [torch.arange(64).float().square().div(200).sin(), torch.arange(64).float().square().div(200).cos()], 1
        ),
        sinusoidal(2, 2),  # of two positions nobody can say how they go on
    ],
)
def test_what_does_not_turn_evenly_is_no_clock(table):
    assert np.isnan(stored(PositionsView(table))[1]["turns0"]).all()


def test_odd_number_of_dimensions_ends_with_a_pair_of_its_own():
    _, arrays = stored(PositionsView(sinusoidal(40, 5)))
    assert np.isfinite(arrays["turns0"]).tolist() == [True, True, False]


def test_cosine_of_a_vector_of_zeros_is_unknown():
    table = noise(5, 4)
    table[1] = 0
    bounds = stored(PositionsView(table))[1]["by_distance0"]
    assert np.isfinite(bounds).all()  # other positions are as far apart
    assert np.isnan(stored(PositionsView(table[:2]))[1]["by_distance0"][1, :, 1]).all()


def test_summary_says_what_was_measured():
    made = PositionsView({"waves": sinusoidal(128, 64), "learned": noise(20, 6)})
    waves, learned = made.summary.split("\n")[1:]
    assert waves.startswith("waves: 128 × 64 (positions × dimensions). 32 of its 32 pairs of dimensions turn evenly")
    assert f"once in 6.283 to {2 * math.pi * 10_000 ** (62 / 64):,.0f} positions" in waves
    table = sinusoidal(128, 64).double()
    assert f"on the distance of two positions alone: 32 at 0, {table[0] @ table[1]:.4g} at 1" in waves
    table = noise(20, 6).double()
    low, high = (table[:-1] * table[1:]).sum(dim=1).aminmax()
    assert "learned: 20 × 6 (positions × dimensions). 0 of its 3 pairs" in learned
    assert f"on more than their distance: {low:.4g} to {high:.4g} at 1".replace("-", "−") in learned
    assert learned in image_of(made)["alt"]
    assert "100" not in PositionsView(noise(1, 2)).summary


def test_start():
    made = PositionsView(sinusoidal(128, 128))
    assert stored(made)[0]["start"] == {"position": 42, "distance": 5, "column": 16}
    made = PositionsView(sinusoidal(128, 128), start=(100, -20, 63))
    assert stored(made)[0]["start"] == {"position": 100, "distance": -20, "column": 126}
    assert "dot products with position 100" in image_of(made)["alt"]
    assert stored(PositionsView(torch.ones(1, 2)))[0]["start"] == {"position": 0, "distance": 0, "column": 0}


def test_names_are_kept_and_said():
    made = PositionsView(noise(3, 5), tokens=["a", " b", "c"], name="mine")
    header, _ = stored(made)
    assert header["labels"] == ["a", "␣b", "c"]
    assert header["tables"][0]["name"] == "mine"
    assert "mine: 3 × 5 (positions × dimensions)" in image_of(made)["alt"]
    assert made.summary.startswith("Position vectors\nmine: ")


def test_picture_shows_the_table_and_the_curve():
    signs = torch.ones(4, 4)
    signs[:2] = -1
    pixels = pixels_of(PositionsView(signs, start=(3, 0, 0)))
    blue, orange = (np.abs(pixels[y, 300] - colour).max() for y, colour in ((90, (0, 114, 178)), (220, (213, 94, 0))))
    assert max(blue, orange) < 12
    # The dot products with the last position are -4 at the first two, 4 at the last two.
    curve = (np.abs(pixels[:, 516:884] - (213, 94, 0)).max(axis=2) < 60).nonzero()
    left, right = (curve[0][side].mean() for side in (curve[1] < 60, curve[1] > 300))
    assert left > right + 150
    assert len(pixels_of(PositionsView({"a": signs, "b": signs}))) == 2 * len(pixels)


def test_bad_input_gets_one_plain_sentence():
    cases = [
        (torch.ones(3), {}, r"table has shape \(3,\); it must be \(positions, size\)"),
        (torch.ones(1, 3, 4), {}, r"table has shape \(1, 3, 4\).* without a batch"),
        ({"a": torch.ones(2, 2), "b": torch.ones(3)}, {}, r"table 'b' has shape \(3,\)"),
        (torch.ones(0, 4), {}, r"shape \(0, 4\); there must be at least one position and two dimensions"),
        (torch.ones(4, 1), {}, r"shape \(4, 1\); there must be"),
        (
            torch.tensor([[0.0, 1.0], [math.nan, 0.0]]),
            {},
            "table holds nan at position 1, dimension 0; all its numbers",
        ),
        (torch.tensor([[0.0, -math.inf]]), {}, "table holds -inf at position 0, dimension 1"),
        (torch.full((2, 2), 1e20), {}, r"table holds 1e\+20; its numbers must be smaller"),
        ([["a", "b"]], {}, "table must hold numbers"),
        ([[1.0], [1.0, 2.0]], {}, "table must hold numbers"),
        (None, {}, "table must hold numbers"),
        ({}, {}, "table holds 0 tables; give one, or up to 4"),
        ({str(number): torch.ones(2, 2) for number in range(5)}, {}, "table holds 5 tables"),
        ({1: torch.ones(2, 2)}, {}, r"the names are \[1\]; each table must have a string"),
        (torch.ones(2, 2), {"name": None}, r"the names are \[None\]"),
        (torch.ones(MOST_POSITIONS + 1, 2), {}, rf"table has 2,049 positions.*table\[:{MOST_POSITIONS}\]"),
        (
            torch.ones(1024, 768),
            {},
            rf"there are 786,432 numbers, more than the 262,144 .*table\[:{MOST_NUMBERS // 768}\]",
        ),
        (torch.ones(3, 2), {"tokens": ["a"]}, "tokens has 1 entries, but 'position vectors' has 3"),
        (torch.ones(3, 2), {"tokens": "abc"}, "tokens is 'abc'; it must be a list of strings"),
        (torch.ones(3, 2), {"tokens": [1, 2, 3]}, "it must be a list of strings"),
        (torch.ones(3, 2), {"tokens": []}, "it must be a list of strings"),
        (torch.ones(3, 2), {"tokens": 3}, "tokens is '3'; it must be a list of strings"),
        ({"a": torch.ones(2, 2), "b": torch.ones(3, 2)}, {"tokens": ["x", "y"]}, "2 entries, but 'b' has 3 positions"),
        (torch.ones(3, 2), {"start": (1, 1)}, r"start is \(1, 1\); it must be \(position, distance, pair\)"),
        (torch.ones(3, 2), {"start": 2}, "start is 2; it must be"),
        (torch.ones(3, 2), {"start": (0.5, 0, 0)}, "three whole numbers"),
        (torch.ones(3, 2), {"start": (3, 0, 0)}, "start has position 3; in 'position vectors' it can be 0 to 2"),
        (torch.ones(3, 2), {"start": (1, 2, 0)}, "start has distance 2; in 'position vectors' it can be -1 to 1"),
        (torch.ones(3, 2), {"start": (1, 0, 1)}, "start has pair 1; in 'position vectors' it can be 0 to 0"),
    ]
    changes = [({"table": table, **options}, message) for table, options, message in cases]
    assert refusal_faults(PositionsView, changes) == []
