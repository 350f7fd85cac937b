"""The interactive views: each is one object that a notebook shows, alive with JavaScript, a picture without."""

from utils.explorers.decoding import DecodingExplorer

__all__ = ["DecodingExplorer"]
