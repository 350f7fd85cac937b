"""Real corpora from the internet: pinned, verified, kept in the cache, read without unpacking them to disk."""

import gzip
import re
import zipfile
from pathlib import Path

from utils.fetch import download
from utils.storage import cache_folder

MULTI30K_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
)
MULTI30K_SHA256 = {
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
}
POLARITY_URL = (
    "https://raw.githubusercontent.com/nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora"
)
POLARITY_SHA256 = {"sentence_polarity.zip": "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b"}
_CONTROL = re.compile("[\x80-\x9f]")


def multi30k(split: str) -> list[tuple[str, str]]:
    """Return the (English, French) captions of ``split`` (train, val or test_2016_flickr) of Multi30k.

    Descriptions of photographs, translated for research (Elliott et al. 2016). Raises ``CourseError`` as
    ``utils.fetch.download`` does.
    """
    english, french = (
        gzip.decompress(_fetch(f"{split}.{language}.gz", MULTI30K_URL, MULTI30K_SHA256, "Multi30k").read_bytes())
        for language in ("en", "fr")
    )
    return list(zip(_lines(english), _lines(french), strict=True))


def sentence_polarity() -> dict[str, list[str]]:
    """Return the ``negative`` and the ``positive`` sentences of the sentence polarity set, 5,331 each.

    From real film reviews, lower-cased and cut into words by its makers (Pang & Lee 2005). Raises ``CourseError`` as
    ``utils.fetch.download`` does.
    """
    path = _fetch("sentence_polarity.zip", POLARITY_URL, POLARITY_SHA256, "The sentence polarity set")
    with zipfile.ZipFile(path) as archive:
        return {
            label: _lines(archive.read(f"sentence_polarity/rt-polarity.{label[:3]}"))
            for label in ("negative", "positive")
        }


def _fetch(name: str, url: str, checksums: dict[str, str], corpus: str) -> Path:
    folder = cache_folder() / "corpora"
    return download(f"{url}/{name}", folder / name, checksums[name], description=f"{corpus} ({name})")


def _lines(text: bytes) -> list[str]:
    """Return the lines, stripped; what is left of Windows' code page becomes the quotes and dashes it stood for."""
    repaired = _CONTROL.sub(lambda mark: mark[0].encode("latin-1").decode("cp1252", "ignore"), text.decode("utf-8"))
    return [line.strip() for line in repaired.rstrip("\n").split("\n")]
