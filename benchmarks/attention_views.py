"""The views of attention that ``benchmarks.explorers`` compares: the course's own, and BertViz's two.

BertViz is no part of the course: ``install`` puts it into a folder of its own, by pip and npm, and verifies it.
"""

import hashlib
import importlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from utils.explorers.attention import AttentionExplorer

Attentions = Sequence[Tensor]  # of each layer, (1, heads, tokens, tokens)

BERTVIZ = "bertviz==1.4.1 --hash=sha256:e53e5fb77812d73fdc1142f56334cbf723d6cfcb54f9a6f6d3d5c83dd9763192"
# What BertViz loads, by the name it asks for: npm's package, the file in it, and that file's SHA-256. npm has no jQuery
# 2.0.0, so the nearest stands in for it; RequireJS is there with its spaces.
SCRIPTS = {
    "require.min.js": (
        "requirejs@2.3.6",
        "package/require.js",
        "9485f0917f97fcf4f63a5ea365200ffd57f123f451382a2f9a1ad2e2fd51ac9b",
    ),
    "jquery.min.js": (
        "jquery@2.1.0",
        "package/dist/jquery.min.js",
        "8851e7844413ec986053d7d497ca932861b8622d2369bb291777329c2a713c72",
    ),
    "d3.min.js": (
        "d3@5.7.0",
        "package/dist/d3.min.js",
        "bdad5585ef9a965ff25458738309b006058c55f2c78d794d25fbecae35014609",
    ),
}


@dataclass(frozen=True)
class View:
    """One way to show attention: how to make its HTML, when it is there, and a reader's first action and its answer."""

    name: str
    html: Callable[[Attentions, list[str]], str]
    there: str  # JavaScript: whether the view has been drawn
    answers: str  # JavaScript: points at a token or chooses a head, and returns whether the view has answered


OURS = View(
    "AttentionExplorer",
    lambda attentions, tokens: AttentionExplorer(attentions, tokens).html,
    """() => document.querySelector(".course-explorer")?.dataset.state === "live"
        && document.querySelector(".course-explorer > div").shadowRoot.querySelector(".map > canvas").style.width""",
    """() => {
        const root = document.querySelector(".course-explorer > div").shadowRoot;
        root.querySelector("[role=option]").dispatchEvent(new MouseEvent("mousemove", { bubbles: true }));
        return root.querySelector(".detail b");
    }""",
)


def bertviz(folder: Path) -> list[View]:
    """Return BertViz's two views, installed in ``folder``."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    package = importlib.import_module("bertviz")

    def html(view: Callable) -> Callable[[Attentions, list[str]], str]:
        return lambda attentions, tokens: view(attentions, tokens, html_action="return").data

    head = """() => {
        const token = document.querySelector("#left > g:last-child > g");
        token.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
        return document.querySelector("#attention").getAttribute("visibility") === "hidden";
    }"""
    model = """() => {
        document.querySelector("#vis > svg > g > rect:last-child").dispatchEvent(new MouseEvent("click"));
        return document.querySelector(".detail");
    }"""
    drawn = '() => document.querySelector("#vis > svg > g")'  # which it draws in one go, during which nothing is asked
    return [
        View("BertViz, head view", html(package.head_view), drawn, head),
        View("BertViz, model view", html(package.model_view), drawn, model),
    ]


def install(folder: Path) -> None:
    """Put BertViz and the scripts it loads into ``folder``, as far as they are not there yet, and verify the scripts.

    ``ValueError`` for another content than is known here; ``OSError`` or ``CalledProcessError`` where pip or npm fail.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "bertviz").exists():
        with tempfile.TemporaryDirectory() as temporary:
            pinned = Path(temporary, "bertviz.txt")
            pinned.write_text(BERTVIZ + "\n", "utf-8")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
            subprocess.run([*pip, "--require-hashes", "--requirement", str(pinned)], check=True)
    for name, (package, inside, known) in SCRIPTS.items():
        path = folder / name
        if not path.exists():
            with tempfile.TemporaryDirectory() as temporary:
                subprocess.run(["npm", "pack", "--silent", package], cwd=temporary, check=True, capture_output=True)
                with tarfile.open(next(Path(temporary).glob("*.tgz"))) as packed:
                    path.write_bytes(packed.extractfile(inside).read())
        if hashlib.sha256(path.read_bytes()).hexdigest() != known:
            raise ValueError(f"{path} is not the file that this benchmark knows; remove it and run this again.")
