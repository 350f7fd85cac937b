"""Beam search: what it finds, compared with searches by the textbook and by trying everything, and its trace."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hand_made import END, Bound, ShortOrLong, small_decoder
from utils.beam import beam_search, normalised_score
from utils.decoding import generate

PROMPT = torch.tensor([[4]])
PENALTIES = st.sampled_from([0.0, 0.5, 1.0, 1.7])


def next_log_probabilities(decoder, prompt, history):
    """Return what the model says after the prompt and ``history``, read from the start each time."""
    with torch.no_grad():
        logits, _ = decoder(torch.tensor([[*prompt, *history]]))
    return logits[0, -1].double().log_softmax(-1).tolist()


def slowly(decoder, prompt, width, longest, end_id, length_penalty):
    """Search by the textbook, one text after the other, never stopping before ``longest``."""
    live, ended = [((), 0.0)], []
    for step in range(1, longest + 1):
        candidates = sorted(
            (
                ((*ids, token), total + value)
                for ids, total in live
                for token, value in enumerate(next_log_probabilities(decoder, prompt, ids))
            ),
            key=lambda candidate: -candidate[1],
        )[: 2 * width]
        ended += [each for each in candidates[:width] if each[0][-1] == end_id]
        live = [each for each in candidates if each[0][-1] != end_id][:width]
        ended += live if step == longest else []
    return sorted(((total / len(ids) ** length_penalty, ids) for ids, total in ended), reverse=True)[:width]


def every_text(decoder, prompt, longest, end_id, history=(), total=0.0):
    """Yield every text there is: those that end, and those that reach the limit."""
    if len(history) == longest or (history and history[-1] == end_id):
        yield history, total
        return
    for token, value in enumerate(next_log_probabilities(decoder, prompt, history)):
        yield from every_text(decoder, prompt, longest, end_id, (*history, token), total + value)


def assert_same(found, expected):
    """Compare hypotheses with (score, ids), the best first."""
    assert [each.ids for each in found] == [ids for _, ids in expected]
    assert [each.score for each in found] == pytest.approx([score for score, _ in expected], abs=1e-5)


# --- what it finds


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 4), PENALTIES)
def test_it_finds_what_a_search_by_the_textbook_finds(seed, width, longest, end_id, length_penalty):
    """That never stops early: so stopping early changes nothing."""
    decoder = small_decoder(5, seed=seed)
    expected = slowly(decoder, [4], width, longest, end_id, length_penalty)
    settings_of = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    assert_same(beam_search(decoder, PROMPT, width=width, **settings_of).hypotheses[0], expected)


@settings(max_examples=30)
@given(st.integers(0, 999), st.integers(0, 8), st.none() | st.integers(0, 10))
def test_width_of_one_is_greedy_search(seed, longest, end_id):
    decoder, prompts = small_decoder(seed=seed), torch.tensor([[1, 4], [2, 2], [9, 0]])
    options = {"max_new_tokens": longest, "end_id": end_id}
    beam, greedy = beam_search(decoder, prompts, width=1, **options), generate(decoder, prompts, **options)
    assert torch.equal(beam.ids, greedy.ids)
    torch.testing.assert_close(beam.scores, greedy.scores, atol=1e-4, rtol=1e-5)


@settings(max_examples=15)
@given(st.integers(0, 999), PENALTIES)
def test_width_of_everything_is_exhaustive_search(seed, length_penalty):
    decoder = small_decoder(4, seed=seed)
    texts = list(every_text(decoder, [2], 3, END))
    expected = sorted(((normalised_score(total, len(ids), length_penalty), ids) for ids, total in texts), reverse=True)
    prompt = torch.tensor([[2]])
    options = {"max_new_tokens": 3, "end_id": END}
    found = beam_search(decoder, prompt, width=4**3, length_penalty=length_penalty, **options)
    assert_same(found.hypotheses[0], expected)
    if length_penalty == 0:
        assert found.scores[0] >= generate(decoder, prompt, **options).scores[0] - 1e-5


def test_greedy_search_loses_where_the_best_text_starts_badly():
    options = {"max_new_tokens": 6, "end_id": END}
    greedy, beam = generate(Bound(), PROMPT, **options), beam_search(Bound(), PROMPT, width=2, **options)
    assert greedy.ids.tolist() == [[4, 1, 3, 0]]
    assert beam.ids.tolist() == [[4, 2, 3, 0]]
    assert greedy.scores.exp().item() == pytest.approx(0.55 * 0.5 * 0.4)
    assert beam.scores.exp().item() == pytest.approx(0.45 * 0.9)


def test_length_penalty_changes_the_winner():
    winners = {}
    for length_penalty in (0.0, 1.0):
        options = {"width": 2, "max_new_tokens": 6, "end_id": END, "length_penalty": length_penalty}
        found = beam_search(ShortOrLong(), PROMPT, **options)
        winners[length_penalty] = found.hypotheses[0][0]
        assert found.ids[0, 1:].tolist() == list(winners[length_penalty].ids)
        assert found.scores.item() == pytest.approx(winners[length_penalty].log_probability)
    short, long = winners.values()
    assert (short.ids, long.ids) == ((2, 0), (1, 2, 1, 2, 0))
    assert short.score == short.log_probability == pytest.approx(math.log(0.4))
    assert long.score == pytest.approx(math.log(0.6 * 0.7 * 0.8 * 0.9) / 5)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 5), PENALTIES)
def test_scores_are_the_models_own(seed, width, length_penalty):
    decoder, prompts = small_decoder(seed=seed), torch.tensor([[1, 4], [2, 2]])
    options = {"max_new_tokens": 7, "end_id": 3, "length_penalty": length_penalty}
    found = beam_search(decoder, prompts, width=width, **options)
    for row, (prompt, hypotheses) in enumerate(zip(prompts.tolist(), found.hypotheses, strict=True)):
        for each in hypotheses:
            own = sum(
                next_log_probabilities(decoder, prompt, each.ids[:place])[token] for place, token in enumerate(each.ids)
            )
            assert each.log_probability == pytest.approx(own, abs=1e-4)
            assert each.score == pytest.approx(own / len(each.ids) ** length_penalty, abs=1e-4)
            assert each.finished == (each.ids[-1] == 3)
            assert each.finished or len(each.ids) == 7
        assert found.scores[row].item() == pytest.approx(hypotheses[0].log_probability)
        assert len({each.ids for each in hypotheses}) == len(hypotheses) <= width
        assert [each.score for each in hypotheses] == sorted((each.score for each in hypotheses), reverse=True)


def test_what_is_over_costs_nothing():
    model = Bound()
    beam_search(model, torch.tensor([[4, 4, 4]] * 2), width=1, max_new_tokens=9, end_id=END)
    assert model.read == [(2, 3), (2, 1), (2, 1)]

    class Uneven(Bound):
        """The sentence that begins with 1 is over at once, the other goes on."""

        def __call__(self, ids, state):
            logits, state = super().__call__(ids, state)
            logits[(ids[:, -1] == 1) & (state.size(2) == 0)] = torch.tensor([0.0, -9.0, -9.0, -9.0, -9.0])
            return logits, state

    model = Uneven()
    found = beam_search(model, torch.tensor([[1], [4]]), width=1, max_new_tokens=9, end_id=END)
    assert found.ids.tolist() == [[1, 0, 0, 0], [4, 1, 3, 0]]
    assert model.read == [(2, 1), (1, 1), (1, 1)]


def test_finished_and_unfinished_texts_are_ranked_together():
    found = beam_search(Bound(), PROMPT, width=4, max_new_tokens=3, end_id=END)
    assert [(each.ids, each.finished) for each in found.hypotheses[0]] == [
        ((2, 3, 0), True),  # 0.405
        ((1, 3, 0), True),  # 0.11
        ((1, 4, 0), True),  # 0.0825
        ((1, 4, 1), False),  # as probable, and found later
    ]
    shorter = beam_search(Bound(), PROMPT, width=2, max_new_tokens=2, end_id=END)
    assert [(each.ids, each.finished) for each in shorter.hypotheses[0]] == [((2, 3), False), ((1, 3), False)]
    assert shorter.ids.tolist() == [[4, 2, 3]]


def test_impossible_tokens_are_never_taken():
    """The first step allows two tokens only, fewer than the beam is wide."""
    found = beam_search(Bound(), PROMPT, width=5, max_new_tokens=1, end_id=END, trace=True)
    assert [each.ids for each in found.hypotheses[0]] == [(1,), (2,)]
    assert [node.token for node in found.trees[0]] == [1, 2]


# --- the trace


@settings(max_examples=30)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 4), PENALTIES)
def test_tree_tells_what_became_of_every_candidate(seed, width, longest, end_id, length_penalty):
    decoder = small_decoder(5, seed=seed)
    options = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    found = beam_search(decoder, PROMPT, width=width, trace=True, **options)
    untraced = beam_search(decoder, PROMPT, width=width, **options)
    assert (untraced.hypotheses, untraced.trees) == (found.hypotheses, ())
    (tree,) = found.trees
    assert len({node.ids for node in tree}) == len(tree)
    for node in tree:
        assert node.length == len(node.ids)
        assert node.ids[-1] == node.token
        assert node.total == pytest.approx(node.parent.total + node.log_probability)
        assert node.parent.fate == "kept"
        assert (node.fate == "finished") <= (node.token == end_id)
        assert (node.fate == "unfinished") == (node.length == longest and node.fate not in ("finished", "pruned"))
    for step in range(1, max(node.length for node in tree) + 1):
        here = [node for node in tree if node.length == step]
        gone_on = [node for node in here if node.fate not in ("pruned", "finished")]
        assert len(gone_on) <= width
        parents = {node.parent for node in tree if node.length == step + 1}
        assert parents == {node for node in here if node.fate == "kept"}  # each shows how it would have gone on
        for node in here:
            if node.fate == "pruned" and node.token != end_id:
                assert len(gone_on) == width
                assert node.total <= min(each.total for each in gone_on)
    ended = {node.ids: node.total for node in tree if node.fate in ("finished", "unfinished")}
    for each in found.hypotheses[0]:
        assert each.log_probability == ended[each.ids]


def test_search_that_stops_abandons_what_could_win_no_more():
    (tree,) = beam_search(Bound(), PROMPT, width=1, max_new_tokens=9, end_id=END, trace=True).trees
    assert [(node.ids, node.fate) for node in tree] == [
        ((1,), "kept"),
        ((2,), "pruned"),
        ((1, 3), "kept"),
        ((1, 4), "pruned"),
        ((1, 3, 0), "finished"),
        ((1, 3, 1), "abandoned"),
    ]
