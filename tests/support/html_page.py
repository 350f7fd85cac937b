"""HTML as the tests read it: every tag closed in its turn, what was opened, and the text a reader sees."""

from html.parser import HTMLParser

VOID = ("br", "img", "input")  # never closed


class Page(HTMLParser):
    """Parse ``html``: ``seen`` holds (tag, attributes) in order, ``text`` all text, ``open`` what is not closed."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
