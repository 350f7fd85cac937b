"""What the output of a view holds, and what a view says to input that it cannot show."""

import base64
import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.support.html_page import Page
from utils.explorers import delivery
from utils.explorers.delivery import Explorer


def stored(made: Explorer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays, as the browser reads them."""
    return delivery.payload_of(made.html)


def image_of(made: Explorer) -> dict[str, str]:
    """Return the attributes of the element that holds the still picture."""
    return dict(Page(made.html).seen)["img"]


def pixels_of(made: Explorer) -> np.ndarray:
    """Return the colours of the still picture (height, width, 3), a PNG that is as wide as its element says."""
    image = image_of(made)
    kind, _, encoded = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        assert picture.format == "PNG"
        assert picture.width == int(image["width"])
        return np.asarray(picture.convert("RGB")).astype(int)


def refusal_faults(
    make: Callable[..., object], cases: Iterable[tuple[dict[str, Any], str]], **usual: object
) -> list[str]:
    """Call ``make`` with every change of its ``usual`` arguments, and say where it does not refuse as it should.

    Each change must raise ``ValueError`` with one plain sentence in which the regular expression beside it is found.
    """
    faults = []
    for change, words in cases:
        case = f"{change}"[:200]
        try:
            make(**usual | change)
        except ValueError as error:
            said = str(error)
            if not re.search(words, said):
                faults.append(f"{case} is told {said!r}, not {words!r}")
            if "\n" in said or not said.endswith("."):
                faults.append(f"{case} is not told one sentence: {said!r}")
        except Exception as error:
            faults.append(f"{case} raises {error!r}")
        else:
            faults.append(f"{case} is taken")
    return faults
