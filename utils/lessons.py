"""The fourteen lessons, by number, file and title."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """One notebook of the course."""

    number: int
    file: str
    title: str


LESSONS = tuple(
    Lesson(number, f"{number:02d}_{name}.ipynb", title)
    for number, (name, title) in enumerate(
        [
            ("introduction", "Introduction"),
            ("encoders_in_detail", "Encoders in detail"),
            ("decoders_explained", "Decoders explained"),
            ("encoder_decoder_architecture", "The encoder–decoder architecture"),
            ("attention_mechanism", "The attention mechanism"),
            ("transformer_architecture", "The Transformer architecture"),
            ("bert", "BERT"),
            ("gpt", "GPT"),
            ("machine_translation", "Machine translation"),
            ("text_summarization", "Text summarisation"),
            ("comparing_architectures", "Comparing architectures"),
            ("fine_tuning", "Fine-tuning"),
            ("challenges_and_future", "Challenges and future"),
            ("resources", "Resources"),
        ],
        start=1,
    )
)
