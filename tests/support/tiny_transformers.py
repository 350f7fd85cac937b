"""Small Transformers whose weights are large enough that a fault anywhere shows, and their twins in other libraries."""

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from utils.attention import MultiHeadAttention
from utils.masked import MaskedLanguageModel
from utils.transformer import Transformer, TransformerDecoder, TransformerEncoder
from utils.transformer_layers import TransformerConfig, TransformerLayer

VOCABULARY, HIDDEN, HEADS, LAYERS, INNER, LONGEST = 23, 16, 4, 3, 24, 48
END = 3
# Each setting in each of its values, in few combinations; the last two are GPT-2's and BERT's.
VARIANTS = {
    "vaswani": {"norm_first": False, "positions": "sinusoidal", "activation": "relu", "scale_embeddings": True},
    "untied": {"positions": "sinusoidal", "tied": False},
    "nowhere": {"positions": "none"},
    "post-norm nowhere": {"norm_first": False, "positions": "none", "tied": False},
    "gpt2": {"activation": "gelu tanh"},
    "bert": {"norm_first": False, "segments": 2, "norm_embeddings": True, "norm_epsilon": 1e-12},
}


def config(variant: str = "gpt2", **changes) -> TransformerConfig:
    """Return the settings of a small model; dropout is on, so that a model in training mode would show."""
    sizes = {"vocabulary_size": VOCABULARY, "hidden_size": HIDDEN, "num_heads": HEADS, "num_layers": LAYERS}
    sizes |= {"inner_size": INNER, "max_length": LONGEST, "dropout": 0.3}
    return TransformerConfig(**{**sizes, **VARIANTS[variant], **changes})


@torch.no_grad()
def excited(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give ``model`` weights so large that its outputs vary, norms other than 1 and 0, and evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            parameter.normal_(std=0.3, generator=generator)
            if type(module).__name__.endswith("Norm") and name == "weight":
                parameter.add_(1)
    return model.eval()


def encoder(variant: str = "gpt2", **changes) -> TransformerEncoder:
    return excited(TransformerEncoder(config(variant, **changes)))


def decoder(variant: str = "gpt2", *, cross_attention: bool = False, **changes) -> TransformerDecoder:
    return excited(TransformerDecoder(config(variant, **changes), cross_attention=cross_attention))


def translator(variant: str = "gpt2", **changes) -> Transformer:
    settings = config(variant, **changes)
    return excited(Transformer(TransformerEncoder(settings), TransformerDecoder(settings, cross_attention=True)))


def masked_model(variant: str = "bert", **changes) -> MaskedLanguageModel:
    return excited(MaskedLanguageModel(config(variant, **changes)))


def random_ids(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


def padding(lengths: list[int], side: str = "right") -> Tensor:
    """Return a mask (batch, longest) for texts of these lengths, padded on one side."""
    places = torch.arange(max(lengths))
    right = places < torch.tensor(lengths)[:, None]
    return right if side == "right" else right.flip(1)


def assert_near(found: Tensor, expected: Tensor, mask: Tensor | None = None, atol: float = 1e-5) -> None:
    """Compare where ``mask`` is True (None: everywhere), and see that there is something to compare."""
    found, expected = (found, expected) if mask is None else (found[mask], expected[mask])
    assert expected.numel()
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


# --- PyTorch's own modules with the same weights

Pairs = Iterator[tuple[list[Tensor], Tensor]]  # ours, to be put one below the other, and PyTorch's


def attention_pairs(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> Pairs:
    maps = (ours.query, ours.key_value)
    yield [each.weight for each in maps], theirs.in_proj_weight
    yield [each.bias for each in maps], theirs.in_proj_bias
    yield from module_pairs(ours.output, theirs.out_proj)


def module_pairs(ours: nn.Module, theirs: nn.Module) -> Pairs:
    yield [ours.weight], theirs.weight
    yield [ours.bias], theirs.bias


def layer_pairs(ours: TransformerLayer, theirs: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer) -> Pairs:
    yield from attention_pairs(ours.self_attention, theirs.self_attn)
    yield from module_pairs(ours.around_self_attention.norm, theirs.norm1)
    yield from module_pairs(ours.feed_forward.inner, theirs.linear1)
    yield from module_pairs(ours.feed_forward.output, theirs.linear2)
    if isinstance(theirs, nn.TransformerDecoderLayer):
        yield from attention_pairs(ours.cross_attention, theirs.multihead_attn)
        yield from module_pairs(ours.around_cross_attention.norm, theirs.norm2)
        yield from module_pairs(ours.around_feed_forward.norm, theirs.norm3)
    else:
        yield from module_pairs(ours.around_feed_forward.norm, theirs.norm2)


def stack_pairs(ours: TransformerEncoder | TransformerDecoder, theirs: nn.Module) -> Pairs:
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        yield from layer_pairs(layer, other)
    if theirs.norm is not None:
        yield from module_pairs(ours.norm, theirs.norm)


@torch.no_grad()
def copied(theirs: nn.Module, pairs: list[tuple[list[Tensor], Tensor]]) -> nn.Module:
    """Give ``theirs`` our weights, every one of them, and evaluation mode."""
    for own, other in pairs:
        other.copy_(torch.cat(own))
    assert {id(other) for _, other in pairs} == {id(each) for each in theirs.parameters()}, "a weight was left out"
    return theirs.eval()


def assert_same_gradients(pairs: list[tuple[list[Tensor], Tensor]], atol: float = 1e-5) -> None:
    for own, other in pairs:
        assert_near(torch.cat([each.grad for each in own]), other.grad, atol=atol)


# --- transformers' models, and folders with them in their own layout


def their_bert(kind: str = "BertForMaskedLM", **changes) -> nn.Module:
    import transformers

    sizes = {"vocab_size": VOCABULARY, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    sizes |= {"intermediate_size": INNER, "max_position_embeddings": LONGEST, "pad_token_id": 0}
    return getattr(transformers, kind)(transformers.BertConfig(**{**sizes, **changes}))


def their_gpt2(**changes) -> nn.Module:
    import transformers

    sizes = {"vocab_size": VOCABULARY, "n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_inner": INNER}
    sizes |= {"n_positions": LONGEST, "bos_token_id": 1, "eos_token_id": END, "pad_token_id": 0}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**sizes, **changes}))


def their_llama(**changes) -> nn.Module:
    """Rotary positions, and two query heads to each of two key–value heads, as in SmolLM2."""
    import transformers

    sizes = {"vocab_size": VOCABULARY, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "intermediate_size": INNER}
    sizes |= {"num_attention_heads": HEADS, "num_key_value_heads": 2, "max_position_embeddings": LONGEST}
    sizes |= {"bos_token_id": 1, "eos_token_id": END, "pad_token_id": 0, "attention_dropout": 0.3}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**sizes, **changes}))


def bert_folder(folder: Path, kind: str = "BertForMaskedLM", seed: int = 0, **changes) -> tuple[Path, nn.Module]:
    """Save a small random BERT of transformers in ``folder``; return that and the model."""
    return saved(folder, their_bert(kind, **changes), seed)


def gpt2_folder(folder: Path, seed: int = 0, **changes) -> tuple[Path, nn.Module]:
    """Save a small random GPT-2 of transformers in ``folder``; return that and the model."""
    return saved(folder, their_gpt2(**changes), seed)


def saved(folder: Path, model: nn.Module, seed: int) -> tuple[Path, nn.Module]:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    excited(model, seed).save_pretrained(folder)
    return folder, model
