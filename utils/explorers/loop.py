"""The live loop: type a sentence, run the model, see the view. It needs a running kernel, and only ipywidgets 7.7.

What is shown is set as the ``outputs`` of an ``Output`` widget, all at once. Every front end draws from that attribute
(Colab's knows nothing else) and runs inline scripts, and a failure leaves the last picture where it is; with
``clear_output`` and ``display`` the place would be empty for as long as the model runs.
"""

import html
import io
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from threading import RLock, get_ident
from time import monotonic
from typing import Any, TextIO

from IPython import get_ipython
from IPython.display import display
from ipywidgets import HTML, Box, Button, Dropdown, Layout, Output, Text, VBox
from matplotlib.figure import Figure

from utils import plots
from utils.errors import CourseError
from utils.explorers.delivery import visible

_ONE_PRESS = 0.5  # seconds within which a press on the button only repeats what has just been run
_COLLECTING = RLock()  # newer kernels run cells in one thread and widgets in others, and all share one sys.stdout
_SAID = 60  # characters of a sentence that a message repeats
_ROW = {"display": "flex", "flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"}
_MESSAGE = (
    "border-left: 4px solid #D55E00; padding: 2px 10px; font-size: 15px; line-height: 1.4; overflow-wrap: anywhere"
)
_STYLE = "<style>.course-live :is(input, select, button, label) { font-size: 15px !important; }</style>"
_DRAWN_SIZE = {"description_width": "initial"}  # labels as wide as their words


def live(
    run: Callable[..., Any],
    *,
    text: str,
    label: str = "Sentence",
    choices: Mapping[str, Sequence[Any] | Mapping[str, Any]] | None = None,
    examples: Sequence[str] = (),
    button: str = "Run",
) -> VBox:
    """Return a text field with a button, and below it what ``run(text, **choices)`` returns for the words in the field.

    That is an explorer, a figure, a string, or anything a notebook can show; what ``run`` prints or displays comes
    first. ``text`` is run at once, and its errors are raised here. From then on Enter, leaving the changed field, a new
    choice and the button run; errors become a message (one sentence for ``ValueError`` and ``CourseError``) above the
    last picture. ``choices`` gives each further argument of ``run`` a menu: its values, or its values by name.
    ``examples`` are sentences to pick from.

    The view needs a kernel and is never stored: in a lesson, show ``run(...)`` of one sentence in a compared cell, and
    let the next, tagged ``play`` and ``nbval-ignore-output``, end with ``live(run, text=...)`` of another sentence.

    Raises ``ValueError`` if ``text`` is empty, an example is no string, or a menu has nothing in it.
    """
    for sentence in (text, *examples):
        if not isinstance(sentence, str) or not sentence.strip():
            raise ValueError(f"text or one of the examples is {sentence!r}; give a string that is not empty.")
    menus = {name: _named(name, values) for name, values in (choices or {}).items()}
    return _Loop(run, text, label, menus, examples, button).box


def _named(name: str, values: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of one menu by the names it shows."""
    if isinstance(values, str) or not values:
        raise ValueError(f"choices[{name!r}] is {values!r}; give a list of values, or a dictionary of them by name.")
    return dict(values) if isinstance(values, Mapping) else {str(value): value for value in values}


class _Loop:
    """The widgets of one live loop and what happens between them; ``box`` holds them all."""

    def __init__(
        self,
        run: Callable[..., Any],
        text: str,
        label: str,
        menus: Mapping[str, Mapping[str, Any]],
        examples: Sequence[str],
        button: str,
    ) -> None:
        self.run, self.label, self.menus, self.caption = run, label, menus, button
        # The field and the button fill the first line; on a phone the field alone.
        wide = Layout(width="auto", flex="1 1 calc(100% - 120px)", min_width="min(100%, 300px)", margin="2px 0")
        narrow = Layout(width="auto", max_width="100%", margin="2px 0")
        # Not with every letter, and not by the event of the Enter key, which arrives before the text it is meant for.
        self.field = Text(text, description=label, continuous_update=False, style=_DRAWN_SIZE, layout=wide)
        self.selects = {
            name: Dropdown(options=list(values), description=name.replace("_", " "), style=_DRAWN_SIZE, layout=narrow)
            for name, values in menus.items()
        }
        self.examples = Dropdown(
            options=[("choose…", ""), *((visible(sentence, spaces=False), sentence) for sentence in examples)],
            description="Examples",
            style=_DRAWN_SIZE,
            layout=narrow,
        )
        self.button = Button(description=button, layout=Layout(width="auto", min_width="96px", margin="2px 0"))
        self.message, self.result = HTML(layout=Layout(margin="2px 0")), Output()
        style = HTML(_STYLE, layout=Layout(display="none"))

        self.shown = self.last = self._inputs()
        self.result.outputs = self._outputs(self.last)
        self.running, self.finished = RLock(), -_ONE_PRESS
        for control in (self.field, *self.selects.values()):
            control.observe(self._change, "value")
        self.examples.observe(self._take_example, "value")
        self.button.on_click(self._press)
        controls = [self.field, self.button, *self.selects.values(), *([self.examples] * bool(examples))]
        self.box = VBox([style, Box(controls, layout=Layout(**_ROW)), self.message, self.result])
        self.box.add_class("course-live")

    def _inputs(self) -> tuple[str, ...]:
        return (self.field.value, *(select.value for select in self.selects.values()))

    def _take_example(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self.field.value = change["new"]
            self.examples.value = ""  # so that the same one can be chosen again

    def _change(self, change: Mapping[str, Any]) -> None:
        with self.running:
            if self._inputs() != self.last:  # else the run that this one waited for has shown it already
                self._refresh()

    def _press(self, button: Button) -> None:
        # The click that leaves a changed field, a double click and a click while the model runs ask for nothing new.
        # They come during the run or, where a kernel handles one message after another, when it is over.
        if self.running.acquire(blocking=False):
            try:
                if self._inputs() != self.last or monotonic() - self.finished >= _ONE_PRESS:
                    self._refresh()
            finally:
                self.running.release()

    def _refresh(self) -> None:
        """Run for what the controls say now, and show the result or say why there is none."""
        self.button.disabled, self.button.description = True, "Running…"
        try:
            self.last = self._inputs()
            if self.last[0].strip():
                self.result.outputs = self._outputs(self.last)
                self.shown, self.message.value = self.last, ""
            else:
                self._say(f"The field “{self.label}” is empty: type something and press Enter.")
        except (ValueError, CourseError) as error:
            self._say(str(error) or type(error).__name__)
        except KeyboardInterrupt:
            self._say("Stopped.")
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}", _steps(error))
        finally:
            self.button.disabled, self.button.description = False, self.caption
            self.finished = monotonic()

    def _outputs(self, inputs: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
        """Return what ``run`` prints, displays and returns as outputs of a notebook."""
        text, *chosen = inputs
        given = {name: values[shown] for (name, values), shown in zip(self.menus.items(), chosen, strict=True)}
        outputs: list[dict[str, Any]] = []
        with _collecting(outputs):
            value = self.run(text, **given)
            if isinstance(value, Figure):
                plots.show(value, f"The figure drawn for the text: {text}")
            elif value is not None and not isinstance(value, str):
                display(value)
        if isinstance(value, str):
            outputs.append(_display_data({"text/plain": value}, {}))
        if not outputs:
            raise ValueError(f"There is nothing to show for “{_short(text)}”: the function returned None.")
        return tuple(outputs)

    def _say(self, sentence: str, steps: str = "") -> None:
        """Show a message, and say which sentence the picture below it belongs to."""
        parts = [f"<div>{html.escape(sentence)}</div>"]
        if self.shown != self.last:
            chosen = "".join(f", {name} {value}" for name, value in zip(self.menus, self.shown[1:], strict=True))
            parts.append(
                f"<div>{html.escape(f'Below is still the result for “{_short(self.shown[0])}”{chosen}.')}</div>"
            )
        if steps:
            parts.append(f"<details><summary>Where it happened</summary><pre>{html.escape(steps)}</pre></details>")
        self.message.value = f'<div role="alert" style="{_MESSAGE}">{"".join(parts)}</div>'


def _steps(error: Exception) -> str:
    """Return the last calls before the error, without this module's own."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return "".join(traceback.format_tb(trace, limit=-3))


def _short(text: str) -> str:
    return visible(text if len(text) <= _SAID else text[:_SAID] + "…", spaces=False)


def _display_data(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return one output, pictures as text: the bytes of a widget would reach the page by another way than outputs."""
    texts = {kind: b64encode(value).decode() if isinstance(value, bytes) else value for kind, value in data.items()}
    return {"output_type": "display_data", "data": texts, "metadata": dict(metadata)}


class _Printed(io.TextIOBase):
    """Adds what its own thread prints to ``outputs`` and hands on what others print."""

    def __init__(self, outputs: list[dict[str, Any]], before: TextIO) -> None:
        self.outputs, self.before, self.thread = outputs, before, get_ident()

    def write(self, text: str) -> int:
        if get_ident() != self.thread:
            return self.before.write(text)
        if not self.outputs or self.outputs[-1]["output_type"] != "stream":
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": ""})
        self.outputs[-1]["text"] += text
        return len(text)


@contextmanager
def _collecting(outputs: list[dict[str, Any]]) -> Iterator[None]:
    """Add what this thread prints and displays to ``outputs``, in order, instead of to the page."""

    def keep(message: Mapping[str, Any]) -> None:
        if message["msg_type"] == "display_data":
            outputs.append(_display_data(message["content"]["data"], message["content"]["metadata"]))

    publisher = getattr(get_ipython(), "display_pub", None)
    hooked = hasattr(publisher, "register_hook")  # as in every kernel; without one, what is displayed is printed
    if hooked:
        publisher.register_hook(keep)
    try:
        with _COLLECTING, redirect_stdout(_Printed(outputs, sys.stdout)):
            yield
    finally:
        if hooked:
            publisher.unregister_hook(keep)
