"""The interactive views: each is one object that a notebook shows, alive with JavaScript, a picture without."""

from utils.explorers.alignment import AlignmentView
from utils.explorers.attention import AttentionExplorer
from utils.explorers.beam import BeamTree
from utils.explorers.compare import CompareView
from utils.explorers.decoding import DecodingExplorer
from utils.explorers.loop import live
from utils.explorers.positions import PositionsView
from utils.explorers.steps import AttentionSteps
from utils.explorers.translation import TranslationSteps

__all__ = [
    "AlignmentView",
    "AttentionExplorer",
    "AttentionSteps",
    "BeamTree",
    "CompareView",
    "DecodingExplorer",
    "PositionsView",
    "TranslationSteps",
    "live",
]
