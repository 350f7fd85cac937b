"""What a notebook's setup cell calls, where the course lives, and how a lesson makes a claim."""

import platform
import warnings
from pathlib import Path

import torch
import transformers
from transformers.utils import logging as transformers_logging

from utils import plots, pretrained
from utils.device import device_name, pick_device, profile, seed_everything

ROOT = Path(__file__).resolve().parent.parent
# The one home of the course's address: the setup cell and the launch badges are stamped from here.
REPOSITORY = "https://github.com/encoders-decoders/encoders-decoders"
REVISION = "v0.1.0"
# What a lesson imports and Colab may lack, at the pins of requirements.txt. None of these brings in torch or another
# numpy, transformers or ipywidgets than the one that is there.
SMALL_PACKAGES = ("sacrebleu==2.6.0", "rouge-score==0.1.2", "gguf==0.19.0")


def setup(seed: int = 0) -> str:
    """Make a notebook ready and return the line that says what it runs on.

    Sets the figure style and the seed, and silences the loading bars and routine notices of the model libraries, which
    would otherwise stand between the reader and the lesson. Real warnings still show.
    """
    plots.use_style()
    seed_everything(seed)
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    warnings.filterwarnings("ignore", message="IProgress not found")
    return (
        f"{device_name(pick_device())} · {profile()} profile · Python {platform.python_version()} · "
        f"torch {torch.__version__.split('+')[0]} · transformers {transformers.__version__} · "
        f"models: {pretrained.status()}"
    )


def claim(sentence: str, holds: bool, *, model: str | None = None) -> None:
    """Check a sentence of the prose against what was just measured, and print it with a tick.

    Raises ``AssertionError`` if it does not hold, so that no lesson can say what is not so. With ``model`` set to a
    checkpoint other than the course's defaults, for which the sentence was never promised, it is printed with a cross.
    """
    if holds:
        print(f"✓ {sentence}")
    elif model is not None and not pretrained.is_default(model):
        print(f"✗ {sentence} (not so with {model})")
    else:
        raise AssertionError(f"this does not hold here: {sentence}")
