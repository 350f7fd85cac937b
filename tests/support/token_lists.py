"""Generated token lists of every kind, and a browser that looks for what became of them in hundreds of live views."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Browser

from tests.support.html_page import Page
from tests.support.view_outputs import stored
from tools.browser import visit
from utils.explorers import delivery
from utils.explorers.delivery import Explorer

# What breaks out of an element, an attribute, a script, a style, a comment, a template, a pattern, an object's keys.
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    '<img src=x onerror="window.hacked=1">',
    '"><img src="https://elsewhere.example/x" onload="window.hacked=1" onerror="window.hacked=1">',
    "' onmouseover='window.hacked=1' onclick='window.hacked=1' onfocus='window.hacked=1' autofocus x='",
    '" onmouseover="window.hacked=1" onclick="window.hacked=1" style="background:url(https://elsewhere.example/y)',
    '<a href="javascript:window.hacked=1" onclick="window.hacked=1">x</a>',
    '<svg onload="window.hacked=1"><script>window.hacked=1</script></svg>',
    '<iframe srcdoc="<script>parent.hacked=1</script>" src="https://elsewhere.example/z"></iframe>',
    "</style><style>*{background:url(https://elsewhere.example/s)}</style>",
    "<style>@import 'https://elsewhere.example/i';</style>",
    "red;background:url(https://elsewhere.example/c)",
    *("</div></div></div>", "<!--", "-->", "<![CDATA[", "]]>", "<?php", "</textarea>", "</title>", "<b>bold"),
    *("&lt;", "&lt;img src=x onerror=window.hacked=1&gt;", "&#60;b&#62;", "&amp;amp;", "&quot;", "&", "<", ">"),
    *("${window.hacked=1}", "`${window.hacked=1}`", "{{constructor.constructor('hacked=1')()}}", "$&", "$1"),
    *("$`", "\\1", "\\u003c", ";", "$x^2$"),
    *("\\g<0>", "%s", "%(x)s", "{}", "{0!r}", "\\", '\\"', "\\'", "'", '"', "`", '"""', "*/", "/*", "//", "#"),
    *("$\\frac{1}{", "__proto__", "constructor", "toString", "hasOwnProperty", "NaN", "null", "undefined", "-0"),
    *("[]", "[CLS]", "[SEP]", "<pad>", "</s>", "##ing", "Ġthe", "▁la", "<0x0A>", "<|endoftext|>"),
)
STRANGE = (
    *("", " ", "  ", "\t", "\n", "\r\n", "\x00", "\x00\x01", "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u2028", "\u2029"),
    *("\u3000", "\ufeff", "\u200b", "\u00ad", "\u200d", "\u200d\u200d", "\ufffd", "\uffff", "\U0010ffff", "\ue000"),
    *("\ud800", "\udfff", "\ud83d", "a\udc00b", "\udc00\ud800"),
    *("שלום", "مرحبا", "\u202eabc", "\u2067right\u2069", "\u200fx\u200e", "a\u202b", "\u061c", "abc אבג 123"),
    *("👩\u200d🔬", "👨\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈", "👍🏽", "🇫🇷", "🇫"),
    *("e\u0301", "\u0301", "Z\u0351\u0363\u0352\u0316\u0328", "\u0489" * 30, "\u0b95\u0bcd\u0bb7", "ﷺ", "﷽"),
    *("𒐫", "ﬃ", "ß", "1\ufe0f\u20e3", "\ufe0f", "🫠"),
    *("日本語", "한국어", "ᄒ", "ไทย", "हिन्दी", "က္က", "ꙮ", "𝔘𝔫𝔦", "Ａ", "ı", "\u0149", "ǅ", "\U000e0041"),
    *("W" * 400, "word " * 120, "\u202e" * 80, "<b>" * 90, "👩\u200d" * 60, "𝔘" * 99 + "z", "ሴ" * 200),
)
STILL = [  # the elements of an output and their attributes
    ("div", {"class", "id", "data-kind", "data-payload"}),
    ("img", {"src", "width", "alt", "style"}),
    ("script", set()),
]
PLACES = (  # ranges of characters that make trouble each in a way of their own: first, last
    *((0x00, 0x1F), (0x20, 0x7E), (0x7F, 0xA0), (0xA1, 0x24F), (0x300, 0x36F), (0x590, 0x8FF), (0x900, 0x1FFF)),
    *((0x2000, 0x206F), (0x20D0, 0x20F0), (0x3000, 0x9FFF), (0xAC00, 0xD7FF), (0xD800, 0xDFFF), (0xFB00, 0xFFFF)),
    *((0x10000, 0x13FFF), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1FAFF), (0xE0000, 0xE01EF), (0x0, 0x10FFFF)),
)
TAGS = """div span p b i bdi br small mark code h3 h4 dl dt dd ul ol li button input label select option canvas table
    thead tbody tr td th caption details summary figure figcaption output style svg g path line
    polyline rect circle text title"""
# Remember what each canvas was told to write, in the worst font there is: half a character would take no room in it.
LISTEN = """(() => {
    const { prototype } = CanvasRenderingContext2D;
    const { fillText: write, measureText: measure } = prototype;
    prototype.measureText = function (text) {
        return String(text).isWellFormed() ? measure.call(this, text) : { width: 0 };
    };
    prototype.fillText = function (text, ...place) {
        (this.canvas.written ??= new Set()).add(String(text));
        write.call(this, text, ...place);
    };
})()"""
ALL_TRIED = """(count) => document.querySelectorAll(
    ".course-explorer[data-state=live], .course-explorer[data-state=failed]").length === count"""
# Use every view on the page (its tables, some of its parts by pointer and keyboard), then look for anything but text.
USE = """async ([tags, expected, first]) => {
    const known = new Set(tags);
    const faults = [];
    const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const roots = [...document.querySelectorAll("body > .course-explorer")];
    if (roots.length !== expected.length) faults.push(`${roots.length} views, not ${expected.length}`);
    const outside = document.querySelectorAll("body, body *").length - 1 - 4 * roots.length;
    if (outside) faults.push(`${outside} elements beside the views`);
    const live = roots.filter((root) => root.dataset.state === "live").map((root) => {
        const shadow = root.querySelector(":scope > div").shadowRoot;
        return { root, shadow, shown: new Set(), wanted: expected[roots.indexOf(root)] };
    });
    roots.filter((root) => root.dataset.state !== "live").forEach((root) => {
        faults.push(`${root.id} is not alive: ${root.textContent.slice(-200)}`);
    });
    const look = ({ shadow, shown }) => shadow.querySelectorAll("*").forEach((node) => {
        if (!node.firstElementChild && node.localName !== "style") shown.add(node.textContent);
        for (const name of ["aria-label", "aria-valuetext", "title"]) shown.add(node.getAttribute(name) ?? "");
        node.written?.forEach((text) => shown.add(text));
    });
    await painted();
    for (const view of live) {
        look(view);
        view.shadow.querySelectorAll("details").forEach((details) => { details.open = true; });
    }
    await painted();
    // Each view by one of its parts, the next view by the next: that makes hundreds of each.
    const parts = ["[role=option], [role=gridcell], [role=treeitem]", "button", "canvas", "input[type=range]"];
    live.forEach(({ shadow }, place) => {
        const number = first + place;
        const found = shadow.querySelectorAll(parts[number % parts.length]);
        const part = found[Math.floor(number / parts.length) % (found.length || 1)];
        const { right = 0, bottom = 0 } = part?.getBoundingClientRect() ?? {};
        const pointer = { clientX: right - 9, clientY: bottom - 9 };
        for (const type of ["mouseenter", "mouseover", "mousemove", "click"]) {
            part?.dispatchEvent(new MouseEvent(type, { bubbles: true, ...pointer }));
        }
        part?.focus();
        part?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
        if (part?.localName === "input") part.value = part.min;
        part?.dispatchEvent(new Event("input"));
    });
    await painted();
    live.forEach(look);
    for (const { root, shadow, shown, wanted } of live) {
        for (const node of shadow.querySelectorAll("*")) {
            if (!known.has(node.localName)) faults.push(`${root.id} has a stranger: ${node.outerHTML.slice(0, 200)}`);
            for (const { name, value } of node.attributes) {
                if (/^on|href|^src|action/.test(name) || (name === "style" && value.includes("url("))) {
                    faults.push(`${root.id} has an attribute ${name}: ${value.slice(0, 200)}`);
                }
            }
        }
        // Where there is little room, a token may end in "…".
        const cut = [...shown].filter((text) => text.length > 1 && text.endsWith("…")).map((text) => text.slice(0, -1));
        for (const text of wanted) {
            if (shown.has(text) || cut.some((part) => text.startsWith(part))) continue;
            faults.push(`${root.id} shows no ${JSON.stringify(text)}`);
        }
        for (const text of shown) {
            if (!text.isWellFormed()) faults.push(`${root.id} shows half a character: ${JSON.stringify(text)}`);
        }
    }
    return faults;
}"""


def token(random: Random) -> str:
    """Return a hostile, a strange, a random or a plain token, or two in one."""
    made = []
    for _ in range(random.choice((1, 1, 1, 2))):
        kind = random.random()
        if kind < 0.35:
            made.append(random.choice(HOSTILE))
        elif kind < 0.6:
            made.append(random.choice(STRANGE))
        elif kind < 0.9:
            places = random.choices(PLACES, k=random.choice((1, 1, 2, 5, 12)))
            made.append("".join(chr(random.randint(*place)) for place in places))
        else:
            made.append(random.choice(("the", " cat", "sat")))
    return "".join(made)


def token_list(random: Random, length: int) -> list[str]:
    """Return so many tokens."""
    return [token(random) for _ in range(length)]


@dataclass(frozen=True)
class Batch:
    """Views on one page, what each of them must show, and what was wrong with them before any browser saw them.

    ``first`` is the number of the first of them, counted over all pages: it says which parts of each are used.
    """

    html: str
    expected: list[list[str]]
    faults: list[str]
    first: int


Made = tuple[Explorer, list[str]]  # a view, and the texts that it must show once it is alive


def gather(makers: Iterable[Callable[[], Made]], first: int = 0) -> Batch:
    """Make all views, and check what can be checked without a browser."""
    outputs, expected, faults = [], [], []
    for number, make in enumerate(makers, first):
        try:
            view, texts = make()
        except Exception as error:
            faults.append(f"number {number} was not made: {error!r}")
            continue
        held = set(strings(stored(view)[0]))
        lost = [text for text in texts if not {text, text.removesuffix(" ")} & held]
        faults += [f"number {number}: {fault}" for fault in static_faults(view)]
        faults += [f"number {number} does not carry {text!r}" for text in lost]
        outputs.append(view.html)
        expected.append(texts)
    page = f'<!doctype html><meta charset="utf-8"><body>{"".join(outputs)}'
    return Batch(page.encode("utf-8", "replace").decode(), expected, faults, first)


def strings(value: Any) -> Iterator[str]:
    """Return all texts of a header, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


def static_faults(view: Explorer) -> list[str]:
    """Say what is wrong with the output of ``view`` as a text."""
    try:
        (view.html + view.summary).encode("utf-8")
    except UnicodeEncodeError as error:
        return [f"is no UTF-8: {error}"]
    try:
        page = Page(view.html)
    except AssertionError:
        return ["its elements are not closed in turn"]
    found = [(tag, set(attributes)) for tag, attributes in page.seen]
    if found != STILL:
        return [f"its elements are {found}"]
    if page.open or page.text != delivery.script(page.seen[0][1]["data-kind"]):
        return ["there is text beside the script"]
    return []


def live_faults(started: Browser, batch: Batch, path: Path, *, width: int = 1000) -> list[str]:
    """Bring a batch to life in a page of that width, stored at ``path``, use it, and say what is wrong with it."""
    path.write_text(batch.html, "utf-8")
    with visit(started, width=width, reduced_motion="reduce") as opened:
        opened.page.add_init_script(LISTEN)
        opened.page.goto(path.as_uri())
        opened.page.wait_for_function(ALL_TRIED, arg=len(batch.expected), timeout=120_000)
        faults = opened.page.evaluate(USE, [TAGS.split(), batch.expected, batch.first])
        if opened.page.evaluate("window.hacked !== undefined"):
            faults.append("a token was run")
    return faults + [f"asked for {url}" for url in opened.refused] + [f"console: {error}" for error in opened.errors]
