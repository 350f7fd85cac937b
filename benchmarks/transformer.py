"""The course's Transformer beside others of equal size: ``python -m benchmarks.transformer`` prints a table.

Full training steps (forward, loss, backward, clipping, AdamW) of our encoder–decoder and PyTorch's layers on sentences
of ``en_fr``, of our decoder and ``transformers``' GPT-2, and of our masked language model and its BERT on English
prose. Every batch goes to both models in turn; the speeds are those of each batch's median over the rounds. Seconds are
those of the processor, on one thread, which other programs disturb less than a clock's; on CUDA a clock's, in bfloat16.
In the end the ratios are held against the course's limits; what misses one is named, and the exit status is 1.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from benchmarks.teacher_forcing import prepare
from benchmarks.translation import HEADS, LAYERS, LONGEST, Translator
from utils.data import load_pairs, load_prose
from utils.device import autocast, device_name, pick_device
from utils.masked import MaskedLanguageModel, mask_tokens
from utils.nested import to_device
from utils.text import Tokenizer, train_bpe_tokenizer
from utils.transformer import Transformer, TransformerDecoder, TransformerEncoder
from utils.transformer_layers import TransformerConfig

DROPOUTS = (0.0, 0.1)
# The course's limits, by the width: our encoder–decoder's speed over that of PyTorch's layers, as one trains them, with
# dropout. The wider the models, the more of the time is spent on products of matrices, which cost both the same.
LEAST = {128: 1.1, 256: 1.05}
PROSE_VOCABULARY, LENGTH, TEXTS = 2_000, 128, 8
Batch = tuple[tuple[Tensor, ...], Tensor]  # what the models read, and the tokens they are to find (padding: none)


@dataclass(frozen=True)
class Contest:
    """Two models of equal size and what both are trained on; they return logits, or a tuple that begins with them."""

    name: str
    dropout: float
    ours: nn.Module
    theirs: nn.Module
    batches: list[Batch]
    tokens: int  # in the batches, by which the speed is counted
    least: float = 0.0  # the ratio of speeds that must hold


def translator(english: int, french: int, size: int, inner: int, dropout: float) -> Transformer:
    """Return our untrained counterpart of ``benchmarks.translation.Translator``."""
    settings = {"hidden_size": size, "inner_size": inner, "num_heads": HEADS, "num_layers": LAYERS, "dropout": dropout}
    settings |= {"max_length": LONGEST, "scale_embeddings": True, "tied": False}
    decoder = TransformerDecoder(TransformerConfig(french, **settings), cross_attention=True)
    return Transformer(TransformerEncoder(TransformerConfig(english, **settings)), decoder)


def translators(size: int, dropout: float, count: int) -> Contest:
    """Return the contest of the encoder–decoders, on ``count`` batches of 32 sentence pairs."""
    pairs, english, french = prepare(load_pairs().train, count)
    batches = [((source, mask, target[:, :-1]), target[:, 1:]) for source, mask, target in pairs]
    settings = (english, french, size, 2 * size, dropout)
    tokens = sum(int((wanted != Tokenizer.pad_id).sum()) for _, wanted in batches)
    least = LEAST[size] if dropout else 1.0  # without it, little but those products is left
    name, models = f"encoder–decoder, width {size}: nn.Transformer", (translator(*settings), Translator(*settings))
    return Contest(name, dropout, *models, batches, tokens, least)


def prose(count: int) -> Tensor:
    """Return ``count`` batches of English prose, (count, ``TEXTS``, ``LENGTH`` + 1) ids, from the start if need be."""
    sentences = load_prose()
    tokenizer = train_bpe_tokenizer(sentences, vocabulary=PROSE_VOCABULARY)
    ids = torch.tensor([token for text in sentences for token in tokenizer.encode(text, end=True)])
    needed = count * TEXTS * (LENGTH + 1)
    return ids.repeat(-(-needed // len(ids)))[:needed].view(count, TEXTS, LENGTH + 1)


def config_of(dropout: float, **settings: object) -> TransformerConfig:
    """Return the settings of our language models."""
    return TransformerConfig(PROSE_VOCABULARY, num_layers=4, max_length=LENGTH, dropout=dropout, **settings)


def gpt2(config: TransformerConfig, **settings: object) -> GPT2LMHeadModel:
    """Return ``transformers``' GPT-2 of the size of our decoder with that ``config``."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocabulary_size,
            n_positions=config.max_length,
            n_embd=config.hidden_size,
            n_layer=config.num_layers,
            n_head=config.num_heads,
            n_inner=config.inner_size,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            bos_token_id=None,
            eos_token_id=None,
            **settings,
        )
    )


def decoders(dropout: float, count: int) -> Contest:
    """Return the contest of the decoders: each token is found from those before it."""
    config = config_of(dropout, activation="gelu tanh")
    batches = [((ids[:, :-1],), ids[:, 1:]) for ids in prose(count)]
    models = TransformerDecoder(config), gpt2(config, use_cache=False)
    return Contest("decoder: GPT2LMHeadModel", dropout, *models, batches, count * TEXTS * LENGTH)


def encoders(dropout: float, count: int) -> Contest:
    """Return the contest of the encoders: hidden tokens are found from both sides."""
    config = config_of(dropout, norm_first=False, norm_embeddings=True, segments=2)
    theirs = BertConfig(
        vocab_size=PROSE_VOCABULARY,
        max_position_embeddings=LENGTH,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        intermediate_size=config.inner_size,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    generator, batches = torch.Generator().manual_seed(0), []
    for ids in prose(count)[..., :-1]:
        maskable = torch.ones_like(ids, dtype=torch.bool)
        masked = mask_tokens(
            ids, maskable, mask_id=Tokenizer.unknown_id, vocabulary_size=PROSE_VOCABULARY, generator=generator
        )
        batches.append(((masked.ids, maskable), ids.masked_fill(~masked.chosen, Tokenizer.pad_id)))
    return Contest(
        "encoder: BertForMaskedLM",
        dropout,
        MaskedLanguageModel(config),
        BertForMaskedLM(theirs),
        batches,
        count * TEXTS * LENGTH,
    )


CONTESTS: tuple[Callable[[float, int], Contest], ...] = (
    lambda dropout, count: translators(128, dropout, count),
    lambda dropout, count: translators(256, dropout, count),
    decoders,
    encoders,
)


def clock(device: torch.device) -> float:
    """Return the seconds so far: the processor's, or on an accelerator a clock's once all its work is done."""
    if device.type == "cpu":
        return time.process_time()
    torch.accelerator.synchronize()
    return time.perf_counter()


def step_seconds(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, device: torch.device) -> float:
    """Take one training step and return the seconds it took."""
    inputs, wanted = batch
    start = clock(device)
    with autocast(device, model):
        output = model(*inputs)
        logits = output if isinstance(output, Tensor) else output[0]
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=Tokenizer.pad_id, label_smoothing=0.1
        )
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return clock(device) - start


def speeds(contest: Contest, rounds: int, device: torch.device) -> tuple[float, float]:
    """Return how many tokens a second our model and theirs are trained on."""
    models = [model.to(device).train() for model in (contest.ours, contest.theirs)]
    optimizers = [torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True) for model in models]
    batches = to_device(contest.batches, device)
    found = torch.zeros(rounds + 1, len(batches), len(models), dtype=torch.float64)
    for number in range(rounds + 1):
        for place, batch in enumerate(batches):
            for which, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
                found[number, place, which] = step_seconds(model, optimizer, batch, device)
    seconds = found[1:].quantile(0.5, dim=0).sum(dim=0)  # the first round warms up and does not count
    return tuple((contest.tokens / seconds).tolist())


def numbers(model: nn.Module) -> int:
    """Return how many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    """Print the table; exit with status 1 where a ratio misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device()
    precision = "bfloat16 autocast" if device.type == "cuda" else "float32"
    print(f"PyTorch {torch.__version__}; {device_name(device)}; {precision}; ", end="")
    print(f"{arguments.batches} batches, medians of {arguments.rounds} rounds; tokens a second\n")
    print("| model: beside | numbers to learn, ours and theirs | dropout | ours | theirs | ours ÷ theirs |")
    print("|---" * 6 + "|")
    failures = []
    for make in CONTESTS:
        for dropout in DROPOUTS:
            torch.manual_seed(0)
            contest = make(dropout, arguments.batches)
            ours, theirs = speeds(contest, arguments.rounds, device)
            sizes = f"{numbers(contest.ours):,} and {numbers(contest.theirs):,}"
            line = f"| {contest.name} | {sizes} | {dropout:g} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} × |"
            print(line, flush=True)
            if ours < contest.least * theirs:
                failures.append(
                    f"{contest.name}, dropout {dropout:g}: {ours / theirs:.2f} ×, the limit is {contest.least:g} ×"
                )
    if failures:
        parser.exit(1, "\nLimits missed:\n" + "".join(f"- {each}\n" for each in failures))
    print("\nOur encoder–decoder keeps its limits.")


if __name__ == "__main__":
    main()
