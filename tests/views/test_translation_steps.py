import itertools

import numpy as np
import pytest
import torch

from tests.support.comparison import html_difference
from tests.support.translation_checks import by_hand
from tests.support.view_outputs import image_of, pixels_of, refusal_faults, stored
from utils.explorers import delivery
from utils.explorers.translation import TranslationSteps
from utils.explorers.translation_picture import MINUS, PLUS
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN

TOKENS = ["<s>", "</s>", "le", "chat", "noir", "dort", "mal"]
SETTINGS = {"source_tokens": ["the", "black", "cat"], "tokens": TOKENS, "start_id": 0, "end_id": 1}
MODELS = [(kind, layers, both) for kind in ("plain", "attending") for layers in (1, 2) for both in (False, True)]


def build(kind, layers=1, both=False, *, hidden=10, dropout=0.0):
    """Make a model whose weights are large enough that what it reads matters."""
    torch.manual_seed(0)
    encoder = EncoderRNN(9, hidden, layers, both)
    if kind == "plain":
        model = EncoderDecoder(encoder, DecoderRNN(hidden, 7, layers, dropout))
    else:
        decoder = AttentionDecoderRNN(hidden, 7, layers, dropout, key_size=hidden * (2 if both else 1))
        model = AttentionEncoderDecoder(encoder, decoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def arguments(sources=3, targets=2, hidden=4, vocabulary=7, **changed):
    """Return what a translation of that size is made from."""
    generator = torch.Generator().manual_seed(sources + targets)
    return {
        "source_tokens": [f"s{number}" for number in range(sources)],
        "encoder_states": torch.randn(sources, hidden, generator=generator).tanh(),
        "decoder_states": torch.randn(targets, hidden, generator=generator).tanh(),
        "logits": 2 * torch.randn(targets, vocabulary, generator=generator),
        "tokens": [f"w{number}" for number in range(vocabulary)],
        "read": [0] * targets,
    } | changed


def states(array):
    return array.astype("float32") / 127 - 1


def assert_stored(made, expected, tokens):
    """Compare all that the output carries with what torch says."""
    header, arrays = stored(made)
    two = arrays["encoder"].shape[1]
    encoder = expected.encoder.reshape(len(expected.encoder), two, -1)
    for name, whole in (("encoder", encoder), ("first", expected.first), ("decoder", expected.decoder)):
        size = whole.size(-1)
        shown = whole[..., [place * size // min(64, size) for place in range(min(64, size))]]
        assert np.abs(states(arrays[name]) - shown.numpy()).max() < 1 / 127, name
    shares = expected.logits.softmax(dim=1)
    top = shares.sort(dim=1, descending=True, stable=True)
    assert np.abs(arrays["shares"] - top.values[:, :5].numpy()).max() < 0.004
    assert np.abs(arrays["chosen"] - shares.max(dim=1).values.numpy()).max() < 0.004
    names = [delivery.visible(token) for token in tokens]
    assert [[header["names"][place] for place in row] for row in header["top"]] == [
        [names[index] for index in row] for row in top.indices[:, :5].tolist()
    ]
    for which, ids in (("read", expected.read), ("written", expected.written)):
        assert [header["names"][place] for place in header[which]] == [names[index] for index in ids]
    if expected.weights is None:
        assert "weights" not in arrays
    else:
        assert np.abs((arrays["weights"] / 255.0) ** 2 - expected.weights.numpy()).max() < 0.004


# --- running a model


@pytest.mark.parametrize("configuration", MODELS)
def test_free_running_equals_greedy_search(configuration):
    model = build(*configuration)
    for source in ([2, 3, 4], [5, 8, 1], [7, 7, 6]):
        made = TranslationSteps.of(model, source, max_new_tokens=8, **SETTINGS)
        assert_stored(made, by_hand(model, source, start=0, end=1, limit=8), TOKENS)


@pytest.mark.parametrize("configuration", MODELS)
@pytest.mark.parametrize("target", [[0, 4, 2, 6, 1], [0, 3, 3, 5], [0], [0, 1]])
def test_teacher_forcing_equals_the_models_forward(configuration, target):
    model = build(*configuration)
    made = TranslationSteps.of(model, torch.tensor([2, 3, 4]), target_ids=target, **SETTINGS)
    assert_stored(made, by_hand(model, [2, 3, 4], start=0, end=1, target=target), TOKENS)


def test_large_states_are_sampled_and_that_is_said():
    model = build("attending", 2, True, hidden=100)
    made = TranslationSteps.of(model, [2, 3, 4], target_ids=[0, 4, 2, 6, 1], **SETTINGS)
    assert_stored(made, by_hand(model, [2, 3, 4], start=0, end=1, target=[0, 4, 2, 6, 1]), TOKENS)
    notes = stored(made)[0]["notes"]
    assert all("64 of its 100 numbers, evenly spaced" in each for each in notes["shown"])
    assert "2 × 100 numbers" in notes["handed"]


def test_it_stops_at_the_end_token_or_at_the_limit():
    model = build("plain")
    ends = torch.zeros(7)
    ends[1] = 1e3
    with torch.no_grad():
        model.decoder.out.bias.copy_(-ends)
    assert "3 source words, 60 written" in TranslationSteps.of(model, [2, 3, 4], **SETTINGS).summary
    assert "3 source words, 5 written" in TranslationSteps.of(model, [2, 3, 4], max_new_tokens=5, **SETTINGS).summary
    with torch.no_grad():
        model.decoder.out.bias.copy_(ends)
    assert "→ </s> 100.0%." in TranslationSteps.of(model, [2, 3, 4], **SETTINGS).summary
    made = TranslationSteps.of(model, [2, 3, 4], target_ids=[0, 4, 1], **SETTINGS)  # forced, it goes on
    assert "→ </s> 100.0%, </s> 100.0%." in made.summary


def test_dropout_is_off_meanwhile_and_no_gradient_is_kept():
    model = build("attending", dropout=0.5).train()
    first, second = (
        stored(TranslationSteps.of(model, [2, 3, 4], max_new_tokens=5, **SETTINGS))[1]["shares"] for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert model.training


def test_model_of_the_same_form_from_a_notebook_is_run_too():
    class Own(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.encoder, self.decoder, self.encode = model.encoder, model.decoder, model.encode

    model = build("attending")
    made = TranslationSteps.of(Own(model), [2, 3, 4], max_new_tokens=4, **SETTINGS)
    assert_stored(made, by_hand(model, [2, 3, 4], start=0, end=1, limit=4), TOKENS)


# --- what is measured


def test_distances_are_those_between_states():
    encoder = torch.tensor([[0.3, 0.4, 0.0, 0.1], [0.3, 0.0, 0.0, 0.5], [0.0, 0.0, 0.6, 0.5]])
    decoder = torch.tensor([[0.0, 0.5], [0.3, 0.1]])
    made = TranslationSteps(
        **arguments(
            encoder_states=encoder, decoder_states=decoder, bidirectional=True, first_state=[[1, 1], [0.0, 0.0]]
        )
    )
    _, arrays = stored(made)
    forward, backward = encoder[:, :2], encoder[:, 2:]
    expected = {
        "moved": [[0.5, (backward[0] - backward[1]).norm()], [0.4, 0.6], [0.3, 0.61**0.5]],
        "away": [[(forward[0] - forward[2]).norm(), 0], [0.3, 0.4], [0, (backward[2] - backward[0]).norm()]],
    }
    for name, numbers in expected.items():
        np.testing.assert_allclose(arrays[name], np.array(numbers, dtype="float32"), atol=1e-6)
    np.testing.assert_allclose(arrays["steps"], [0.5, 0.5], atol=1e-6)  # the first from the top layer's first state


def test_decoder_of_a_one_way_encoder_starts_from_its_last_state():
    given_arguments = arguments()
    _, arrays = stored(TranslationSteps(**given_arguments))
    assert np.array_equal(arrays["first"][0], arrays["encoder"][-1, 0])


def test_written_words_are_the_most_probable_unless_they_are_given():
    logits = torch.tensor([[0.0, 3, 1], [2.0, 0, 1]])
    chosen = arguments(vocabulary=3, logits=logits)
    header, arrays = stored(TranslationSteps(**chosen))
    assert header["written"] == [1, 0]
    header, arrays = stored(TranslationSteps(**chosen, written=[2, 1]))
    assert header["written"] == [2, 1]
    np.testing.assert_allclose(arrays["chosen"], logits.softmax(dim=1)[[0, 1], [2, 1]], atol=1e-6)


def test_what_is_read_in_place_of_own_words_is_said():
    logits = torch.eye(7)[[3, 4, 5]] * 20
    free = TranslationSteps(**arguments(targets=3, logits=logits, read=[0, 3, 4]))
    forced = TranslationSteps(**arguments(targets=3, logits=logits, read=[0, 6, 4]))
    assert "in place of" not in free.summary
    assert "Read in place of its own words: w6 for its own w3." in forced.summary
    notes = [stored(made)[0]["notes"]["key"] for made in (free, forced)]
    assert ["≠" in each for each in notes] == [False, True]


def test_attention_of_one_layer_and_head_is_taken_in_any_shape():
    weights = torch.rand(2, 3).softmax(dim=1)
    for shape in ((2, 3), (1, 2, 3), (1, 1, 2, 3)):
        _, arrays = stored(TranslationSteps(**arguments(attention=weights.view(shape))))
        assert np.abs((arrays["weights"] / 255.0) ** 2 - weights.numpy()).max() < 0.004


def test_vocabulary_may_be_a_function_asked_for_few_names():
    asked = []
    chosen = arguments(vocabulary=5_000, tokens=lambda index: asked.append(index) or f"w{index}")
    header, _ = stored(TranslationSteps(**chosen))
    assert header["names"] == [f"w{index}" for index in asked]
    assert len(asked) <= 1 + 2 * 5


def test_a_drift_in_the_last_digits_counts_as_the_same_output(monkeypatch):
    pages = []
    for noise in (0.0, 1e-6, 0.1):
        monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
        chosen = arguments()
        pages.append(TranslationSteps(**{**chosen, "encoder_states": 0.9 * chosen["encoder_states"] + noise}).html)
    assert html_difference(pages[0], pages[1]) is None
    assert "the explorer's" in html_difference(pages[0], pages[2])


def test_description_tells_the_words_and_the_picture_the_signs_of_states():
    logits = torch.tensor([[0.0, 0, 3, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0]])
    chosen = {"source_tokens": SETTINGS["source_tokens"], "logits": logits, "tokens": TOKENS}
    made = TranslationSteps(**arguments(**chosen, reference="le chat"))
    for said in (image_of(made)["alt"], made.summary):
        assert "3 source words, 2 written" in said
        assert "the black cat → le 77.0%, </s> 99.9%." in said
    assert made.summary.endswith("\nReference: le chat")
    assert stored(made)[0]["sources"] == ["the", "black", "cat"]
    for value, colour in ((-1.0, MINUS), (1.0, PLUS)):
        made = TranslationSteps(**arguments(1, 1, 4, encoder_states=[[value] * 4], decoder_states=[[0.0] * 4]))
        assert np.abs(pixels_of(made)[60:160, 20:60] - np.array(colour)).max() < 12


def test_bad_input_gets_one_plain_sentence():
    nan = float("nan")
    cases = [
        ({"source_tokens": "abc"}, "source_tokens is one string, 'abc'; give the list"),
        ({"source_tokens": []}, "there are 0 source_tokens; show a sentence of 1 to 40"),
        ({"source_tokens": ["a"] * 41}, "there are 41 source_tokens"),
        ({"source_tokens": ["a", 2, "c"]}, "one of source_tokens is 2; tokens must be strings"),
        ({"encoder_states": "no"}, r"encoder_states must be numbers of shape \(tokens, hidden\)"),
        ({"encoder_states": torch.zeros(1, 3, 4)}, r"encoder_states must have shape .* not \(1, 3, 4\); of a batch"),
        ({"encoder_states": torch.zeros(3, 0)}, "encoder_states must have shape"),
        (
            {"encoder_states": torch.zeros(4, 4)},
            "encoder_states has 4 rows, but there must be 3, one for each source token",
        ),
        ({"encoder_states": torch.full((3, 4), nan)}, "encoder_states holds NaN or infinity"),
        ({"encoder_states": torch.full((3, 4), -1.7)}, "encoder_states holds a number of size 1.7"),
        (
            {"encoder_states": torch.zeros(3, 5), "bidirectional": True},
            "encoder_states have 5 numbers, which cannot be",
        ),
        (
            {"decoder_states": torch.zeros(3, 4)},
            "decoder_states has 3 rows, but there must be 2, one for each row of logits",
        ),
        ({"decoder_states": torch.full((2, 4), nan)}, "decoder_states holds NaN"),
        ({"logits": None}, r"logits must be numbers of shape \(target, vocabulary\)"),
        ({"logits": torch.zeros(7)}, r"logits must have shape \(target, vocabulary\), .* not \(7,\)"),
        ({"logits": torch.zeros(61, 7)}, "there are 61 rows of logits; show a translation of 1 to 60 tokens"),
        ({"logits": torch.tensor([[0.0] * 7, [nan] * 7])}, "the logits of step 1 hold NaN"),
        ({"logits": torch.full((2, 7), -float("inf"))}, "the logits of step 0 are all -infinity"),
        ({"tokens": ["a"]}, "there are 1 tokens but 7 logits at each step"),
        ({"tokens": list(range(7))}, "token 0 is 0; tokens must be strings"),
        ({"read": [0]}, "read holds 1 id, but there must be 2"),
        ({"read": [0, 7]}, "read holds 7, but ids run from 0 to 6"),
        ({"read": [0.5, 1]}, r"read is \[0.5, 1\]; give the ids of one sentence"),
        ({"read": "le"}, "read is le; give the ids"),
        ({"written": [-1, 0]}, "written holds -1, but ids run from 0 to 6"),
        ({"written": [1, 2, 3]}, "written holds 3 ids, but there must be 2"),
        (
            {"bidirectional": True},
            r"first_state is missing: the encoder's last state \(2 × 2 numbers\) cannot be the .*4 ",
        ),
        ({"decoder_states": torch.zeros(2, 6)}, "first_state is missing"),
        ({"first_state": torch.zeros(5)}, r"first_state must have shape \(4,\) or \(layers, 4\), .* not \(1, 5\)"),
        ({"first_state": torch.full((4,), nan)}, "first_state holds NaN"),
        ({"attention": torch.full((2, 3), 0.5)}, "row 0 of layer 0, head 0 in attention sums to 1.5"),
        ({"attention": torch.full((3, 3), 1 / 3)}, "attention has 3 rows but there are 2 tokens"),
        ({"attention": torch.full((1, 4, 2, 3), 1 / 3)}, "attention has 1 layer of 4 heads; choose one of each"),
        ({"reference": ["le"]}, r"reference is \['le'\]; give the reference translation as one string"),
    ]
    assert refusal_faults(TranslationSteps, cases, **arguments()) == []


def test_what_a_model_cannot_be_run_on_is_said():
    model = build("plain")
    cases = [
        ({"source_ids": [2, 3]}, "source_ids holds 2 ids, but there must be 3"),
        ({"source_ids": [2, 3, 9]}, "source_ids holds 9, but ids run from 0 to 8"),
        ({"source_ids": torch.tensor([[2, 3, 4]])}, "give the ids of one sentence"),
        ({"source_tokens": []}, "there are 0 source_tokens"),
        ({"start_id": 7}, "start_id holds 7, but ids run from 0 to 6"),
        ({"target_ids": [2, 3]}, r"target_ids must begin with the start token, 0; they are \[2, 3\]"),
        ({"target_ids": []}, r"target_ids is \[\]; give the ids"),
        ({"target_ids": [0] * 62}, "the number of target_ids to read is 62; it must lie between 1 and 60"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0; it must lie between 1 and 60"),
        ({"max_new_tokens": 61}, "max_new_tokens is 61"),
        ({"model": model.decoder}, "model is a DecoderRNN; give an EncoderDecoder"),
    ]
    usual = {"model": model, "source_ids": [2, 3, 4], **SETTINGS}
    assert refusal_faults(TranslationSteps.of, cases, **usual) == []
