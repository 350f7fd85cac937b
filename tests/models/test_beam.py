import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.support.hand_made import END, Bound, ShortOrLong, small_decoder
from utils.beam import beam_search, normalised_score
from utils.decoding import generate
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, EncoderRNN

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


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 4), PENALTIES)
def test_it_finds_what_a_search_by_the_textbook_finds(seed, width, longest, end_id, length_penalty):
    """That never stops early: so stopping early changes nothing."""
    decoder = small_decoder(5, seed=seed)
    expected = slowly(decoder, [4], width, longest, end_id, length_penalty)
    settings_of = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    assert_same(beam_search(decoder, PROMPT, width=width, **settings_of).hypotheses[0], expected)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.integers(0, 8), st.none() | st.integers(0, 10))
def test_width_of_one_is_greedy_search(seed, longest, end_id):
    decoder, prompts = small_decoder(seed=seed), torch.tensor([[1, 4], [2, 2], [9, 0]])
    options = {"max_new_tokens": longest, "end_id": end_id}
    beam, greedy = beam_search(decoder, prompts, width=1, **options), generate(decoder, prompts, **options)
    assert torch.equal(beam.ids, greedy.ids)
    torch.testing.assert_close(beam.scores, greedy.scores, atol=1e-4, rtol=1e-5)


@settings(deadline=None, max_examples=15)
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


def test_score_is_the_log_probability_over_a_power_of_the_length():
    assert normalised_score(-6.0, 4, 0.0) == -6.0
    assert normalised_score(-6.0, 4, 0.5) == -3.0
    assert normalised_score(-6.0, 4, 1.0) == -1.5
    assert normalised_score(0.0, 0, 1.0) == 0.0


# --- in batches, from states


@pytest.mark.parametrize("kind", ["plain", "attention"])
@pytest.mark.parametrize("length_penalty", [0.0, 0.8])
def test_batch_finds_for_each_sentence_what_it_would_find_alone(kind, length_penalty):
    prompts = torch.tensor([[1, 4], [2, 2], [9, 0], [5, 5], [3, 7]])
    if kind == "plain":
        decoder, states, end_id = small_decoder(), [None] * 6, 5
    else:
        model, end_id = translator(), 3
        decoder, source = model.decoder, torch.randint(12, (5, 6), generator=torch.Generator().manual_seed(2))
        mask = torch.arange(6) < torch.tensor([[6], [2], [4], [1], [5]])
        only = [slice(row, row + 1) for row in range(5)]
        states = [model.encode(source, mask), *(model.encode(source[row], mask[row]) for row in only)]
    options = {"width": 3, "max_new_tokens": 12, "end_id": end_id, "length_penalty": length_penalty}
    together = beam_search(decoder, prompts, states[0], **options)
    lengths = set()
    for row in range(5):
        alone = beam_search(decoder, prompts[row : row + 1], states[row + 1], **options)
        assert_same(together.hypotheses[row], [(each.score, each.ids) for each in alone.hypotheses[0]])
        new = together.ids[row, 2:].tolist()
        best = list(together.hypotheses[row][0].ids)
        assert new == best + [end_id] * (len(new) - len(best))
        lengths.add(len(best))
    assert torch.equal(together.ids[:, :2], prompts)
    assert len(lengths) > 1, "all sentences are equally long: nothing had to be filled up"


def translator(dropout=0.0):
    torch.manual_seed(1)
    decoder = AttentionDecoderRNN(8, 11, key_size=16, dropout=dropout)
    nn.init.normal_(decoder.out.weight, std=3.0)
    return AttentionEncoderDecoder(EncoderRNN(12, 8, bidirectional=True), decoder).eval()


@settings(deadline=None, max_examples=20)
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


def test_it_goes_on_from_the_state_it_is_given():
    decoder, whole = small_decoder(), torch.tensor([[1, 4, 7]])
    _, state = decoder(whole[:, :2])
    continued = beam_search(decoder, whole[:, 2:], state, max_new_tokens=8, end_id=3)
    (expected,) = beam_search(decoder, whole, max_new_tokens=8, end_id=3).hypotheses
    assert_same(continued.hypotheses[0], [(each.score, each.ids) for each in expected])


def test_no_token_is_read_twice_and_what_is_over_costs_nothing():
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


def test_without_an_end_every_text_is_as_long_as_the_limit():
    found = beam_search(small_decoder(), PROMPT, width=3, max_new_tokens=5)
    assert found.ids.shape == (1, 6)
    assert [len(each.ids) for each in found.hypotheses[0]] == [5, 5, 5]
    assert not any(each.finished for each in found.hypotheses[0])


def test_the_limit_may_be_nothing():
    found = beam_search(small_decoder(), PROMPT, max_new_tokens=0)
    assert torch.equal(found.ids, PROMPT)
    assert found.scores.tolist() == [0.0]
    assert [each.ids for each in found.hypotheses[0]] == [()]


def test_impossible_tokens_are_never_taken():
    """The first step allows two tokens only, fewer than the beam is wide."""
    found = beam_search(Bound(), PROMPT, width=5, max_new_tokens=1, end_id=END, trace=True)
    assert [each.ids for each in found.hypotheses[0]] == [(1,), (2,)]
    assert [node.token for node in found.trees[0]] == [1, 2]


def test_dropout_is_off_meanwhile_and_no_gradient_is_kept():
    model = translator(dropout=0.5).train()
    source = torch.randint(12, (2, 6))
    with torch.no_grad():
        state = model.encode(source)
    first, second = (beam_search(model.decoder, source[:, :1], state, max_new_tokens=6) for _ in range(2))
    assert first.hypotheses == second.hypotheses
    assert model.decoder.training
    assert not first.scores.requires_grad


def test_models_of_transformers_are_searched_as_transformers_searches_them():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"vocab_size": 13, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=1, eos_token_id=3)).eval()
    nn.init.normal_(model.lm_head.weight, std=1.0)

    class WithCache:
        def __call__(self, ids, state):
            made = model(ids, past_key_values=state, use_cache=True)
            return made.logits, made.past_key_values

        def select_state(self, state, rows):
            state.reorder_cache(rows)
            return state

    prompts = torch.tensor([[1, 4], [2, 2], [9, 0], [5, 6]])
    for width, length_penalty in itertools.product((1, 2, 4), (0.0, 1.0)):
        found = beam_search(
            WithCache(), prompts, width=width, max_new_tokens=10, end_id=3, length_penalty=length_penalty
        )
        options = {"num_beams": width, "max_new_tokens": 10, "pad_token_id": 3, "length_penalty": length_penalty}
        if width > 1:
            options |= {"early_stopping": "never"}
        theirs = model.generate(prompts, do_sample=False, attention_mask=torch.ones_like(prompts), **options)
        assert found.ids.tolist() == theirs.tolist(), options


# --- the trace


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 4), PENALTIES)
def test_tree_tells_what_became_of_every_candidate(seed, width, longest, end_id, length_penalty):
    decoder = small_decoder(5, seed=seed)
    options = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    found = beam_search(decoder, PROMPT, width=width, trace=True, **options)
    assert found.hypotheses == beam_search(decoder, PROMPT, width=width, **options).hypotheses
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


def test_tree_is_left_out_unless_asked_for():
    assert beam_search(Bound(), PROMPT, max_new_tokens=2).trees == ()


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


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"max_new_tokens": -1}, "max_new_tokens must be at least 0, not -1"),
        ({"length_penalty": -0.5}, "length_penalty must lie from 0 to 10, not -0.5"),
        ({"length_penalty": math.nan}, "length_penalty must lie from 0 to 10, not nan"),
        ({"ids": torch.zeros(2, 0, dtype=torch.long)}, r"ids must have shape \(batch, prompt\)"),
        ({"ids": torch.zeros(2, dtype=torch.long)}, r"ids must have shape \(batch, prompt\)"),
    ],
)
def test_bad_settings_get_one_plain_sentence(change, message):
    arguments = {"ids": PROMPT, "max_new_tokens": 2, **change}
    with pytest.raises(ValueError, match=message) as caught:
        beam_search(small_decoder(), **arguments)
    assert str(caught.value).endswith(".")


def test_damaged_logits_are_refused():
    decoder = small_decoder()
    nn.init.constant_(decoder.out.bias, math.nan)
    with pytest.raises(ValueError, match="logits hold NaN"):
        beam_search(decoder, PROMPT, max_new_tokens=2)
