"""The live loop's Python half: what runs when, what is shown, what is said; in a kernel without a page too."""

import copy
import threading

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from tests.support.html_page import Page
from tests.support.view_outputs import refusal_faults
from tools import notebook_files
from tools.run_notebooks import ThisPython
from utils.course import ROOT
from utils.errors import CourseError
from utils.explorers import delivery
from utils.explorers import loop as module
from utils.explorers.loop import live

HOSTILE = "</div><img src=x onerror=alert(1)>"


class Loop:
    """The parts of a live loop by name, as a reader sees them."""

    def __init__(self, run, **options):
        self.box = live(run, **{"text": "first", **options})
        _, controls, self.message, self.result = self.box.children
        self.field, self.button, *self.menus = controls.children

    @property
    def shown(self):
        return [output.get("text") or output["data"]["text/plain"] for output in self.result.outputs]

    @property
    def said(self):
        return Page(self.message.value).text


@pytest.fixture
def clock(monkeypatch):
    """Return a clock, in seconds, that stands still unless told to move."""
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_runs_at_once_and_for_every_new_text_and_choice():
    loop = Loop(
        lambda text, layer, scale: f"{text} {layer} {scale}",
        choices={"layer": range(3), "scale": {"small": 0.5, "large": 2.0}},
        examples=["one", "two"],
    )
    layer, scale, examples = loop.menus
    assert loop.shown == ["first 0 0.5"]
    assert layer.options == ("0", "1", "2")
    loop.field.value = "second"
    assert loop.shown == ["second 0 0.5"]
    layer.value = "2"
    scale.value = "large"
    assert loop.shown == ["second 2 2.0"]
    for _ in range(2):  # the same example can be chosen again
        loop.field.value = "something else"
        examples.value = "two"
        assert (loop.shown, loop.field.value, examples.value) == (["two 2 2.0"], "two", "")
    assert loop.message.value == ""
    assert Loop(str.upper).menus == []  # without choices or examples


def test_button_is_busy_while_the_model_runs_and_ready_afterwards():
    seen = []

    def run(text):
        if loop:
            seen.append((loop.button.disabled, loop.button.description, loop.shown))
        if text == "fails":
            raise RuntimeError(text)
        return text

    loop = None
    loop = Loop(run, button="Translate")
    loop.field.value = "second"
    loop.field.value = "fails"
    assert seen == [(True, "Running…", ["first"]), (True, "Running…", ["second"])]  # the last one stays till the end
    assert (loop.button.disabled, loop.button.description) == (False, "Translate")


@pytest.mark.parametrize("error", [ValueError, CourseError])
def test_expected_errors_are_one_sentence_and_the_last_picture_stays(error):
    def run(text, layer):
        if text == "first":
            return text
        if text == "without words":
            raise error
        raise error(f"The text {text!r} is not known; type first.")

    loop = Loop(run, choices={"layer": [3, 4]})
    loop.field.value = HOSTILE
    assert loop.said == f"The text {HOSTILE!r} is not known; type first.Below is still the result for “first”, layer 3."
    assert {tag for tag, _ in Page(loop.message.value).seen} == {"div"}
    assert loop.shown == ["first"]
    loop.field.value = "without words"
    assert loop.said.startswith(f"{error.__name__}Below is still")
    loop.field.value = "first"
    assert loop.message.value == ""


def test_other_errors_say_where_they_happened():
    def run(text):
        return str(1 / (text == "first"))

    loop = Loop(run)
    loop.field.value = "second"
    assert loop.said.startswith("ZeroDivisionError: division by zeroBelow is still the result for “first”.")
    assert "in run\n    return str(1 / (text" in loop.said
    assert "loop.py" not in loop.said  # the steps of this module help nobody
    assert ("details", {}) in Page(loop.message.value).seen
    assert loop.shown == ["1.0"]


@pytest.mark.parametrize("text", ["", "  \t"])
def test_empty_text_is_not_run(text):
    ran = []
    loop = Loop(lambda text: ran.append(text) or text, label="English")
    loop.field.value = text
    assert loop.said.startswith("The field “English” is empty: type something and press Enter.Below is still")
    assert ran == ["first"]


def test_interrupt_stops_the_run_and_nothing_else():
    def run(text):
        if text == "long":
            raise KeyboardInterrupt
        return text

    loop = Loop(run)
    loop.field.value = "long"
    assert loop.said.startswith("Stopped.")
    assert (loop.button.disabled, loop.shown) == (False, ["first"])


def test_first_run_raises_its_errors_for_the_author_to_see():
    with pytest.raises(ZeroDivisionError):
        live(lambda text: 1 / 0, text="first")
    with pytest.raises(ValueError, match="nothing to show for “first”: the function returned None"):
        live(lambda text: None, text="first")


# --- presses


def test_button_runs_again_but_not_for_the_click_that_came_with_the_text(clock):
    ran = []
    loop = Loop(lambda text: ran.append(text) or text)
    loop.button.click()
    assert ran == ["first", "first"]  # the first press always counts
    loop.field.value = "second"  # leaving the field by a click on the button
    loop.button.click()
    clock[0] += module._ONE_PRESS / 2
    loop.button.click()
    assert ran == ["first", "first", "second"]
    clock[0] += module._ONE_PRESS
    loop.button.click()
    assert ran[3:] == ["second"]


def in_a_thread(do, *arguments):
    thread = threading.Thread(target=do, args=arguments)
    thread.start()
    return thread


def slow_loop(ran, go_on):
    """Return a loop with two menus, and the thread of its run for “slow”, which has started and waits for ``go_on``."""
    started = threading.Event()

    def run(text, a, b):
        ran.append((text, a, b))
        if text == "slow" and not go_on.is_set():
            started.set()
            assert go_on.wait(60)
        return f"{text} {a} {b}"

    loop = Loop(run, choices={"a": [0, 1], "b": [0, 1]})
    slow = in_a_thread(setattr, loop.field, "value", "slow")
    assert started.wait(60)
    return loop, slow


def test_press_while_the_model_runs_is_not_queued(clock):
    """Newer kernels handle the messages of each widget in a thread of its own."""
    ran, go_on = [], threading.Event()
    loop, slow = slow_loop(ran, go_on)
    clock[0] += 100
    press = in_a_thread(loop.button.click)
    press.join(60)  # it does not wait for the run
    assert not press.is_alive()
    go_on.set()
    slow.join(60)
    assert ran == [("first", 0, 0), ("slow", 0, 0)]


def test_choices_made_while_the_model_runs_are_run_once_it_has_ended():
    ran, go_on = [], threading.Event()
    loop, slow = slow_loop(ran, go_on)
    changes = [in_a_thread(setattr, menu, "value", "1") for menu in loop.menus]
    while any(menu.value == "0" for menu in loop.menus):
        pass  # both are chosen, and wait
    go_on.set()
    for thread in (slow, *changes):
        thread.join(60)
    assert ran == [("first", 0, 0), ("slow", 0, 0), ("slow", 1, 1)]
    assert loop.shown == ["slow 1 1"]


# --- what is shown


def test_what_is_printed_is_shown_and_goes_nowhere_else(capsys):
    def run(text):
        print("one")
        print("two", text)
        other = threading.Thread(target=print, args=("another cell",))
        other.start()
        other.join(60)
        return "three"

    loop = Loop(run)
    assert loop.shown == ["one\ntwo first\n", "three"]
    assert capsys.readouterr().out == "another cell\n"


@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=80))
def test_text_of_any_kind_is_text(text):
    def run(given):
        if given == "first":
            return "fine"
        raise ValueError(given)

    loop = Loop(run, label="<b>")
    loop.field.value = text
    loop.field.value = text[::-1] + "x"
    page = Page(loop.message.value)
    assert page.open == []
    assert {tag for tag, _ in page.seen} == {"div"}
    assert page.text == f"{text[::-1]}xBelow is still the result for “first”."


def test_long_sentences_are_cut_where_they_are_only_mentioned():
    def run(text):
        if text == "bad":
            raise ValueError("No.")
        return text

    loop = Loop(run, text="word " * 100)
    loop.field.value = "bad"
    assert loop.said == f"No.Below is still the result for “{'word ' * 12}…”."


def test_texts_and_menus_must_have_something_in_them():
    texts = [{"text": ""}, {"text": " "}, {"text": None}, {"examples": ["fine", 3]}]
    cases = [(options, "give a string that is not empty") for options in texts]
    for values in ([], {}, "abc", range(0)):
        cases.append(({"choices": {"layer": values}}, r"choices\['layer'\] is .*; give a list of values"))
    assert refusal_faults(live, cases, run=str.upper, text="first") == []


# --- in a kernel

CELLS = (
    """
import matplotlib.pyplot as plt
import torch
from PIL import Image
from utils import plots
from utils.explorers import AlignmentView
from utils.explorers.loop import live

def align(text):
    words = text.split()
    weights = torch.rand(len(words), len(words), generator=torch.Generator().manual_seed(len(words)))
    return AlignmentView(weights / weights.sum(1, keepdim=True), words, words)

def draw(text, kind):
    print("Drawing", text)
    if kind == "picture":
        return Image.new("RGB", (4, 3), "red")
    figure, axes = plt.subplots()
    axes.plot([len(text), 2])
    if kind == "returned":
        return figure
    plots.show(figure, "A line that starts at the length of the text.")

print("ready")
""",
    'box = live(align, text="one two three")\nbox',
    'box.children[1].children[0].value = "four <b>words</b> this time"',
    "box.children[1].children[1].click()",
    'drawing = live(draw, text="abc", choices={"kind": ["returned", "shown", "picture"]})',
    "kinds = []\nfor kind in ('returned', 'shown', 'picture'):\n"
    "    drawing.children[1].children[2].value = kind\n"
    "    kinds.append([output.get('data', output) for output in drawing.children[3].outputs])\n"
    "print(len(plt.get_fignums()), kinds)",
    "print([output['data']['text/html'] for output in box.children[3].outputs][0])",
)


@pytest.fixture(scope="module")
def executed():
    """Return the notebook of ``CELLS`` as it is when it has been run where no page is."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    resources = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, kernel_manager_class=ThisPython, kernel_name="python3", resources=resources).execute()
    return notebook


def test_kernel_without_a_page_leaves_nothing_but_the_view(executed):
    assert [len(cell.outputs) for cell in executed.cells] == [1, 1, 0, 0, 0, 1, 1]
    assert notebook_files.WIDGET_VIEW in executed.cells[1].outputs[0].data
    committed = copy.deepcopy(executed)
    notebook_files.tidy(committed)
    assert committed.cells[1].outputs == []
    assert "widgets" not in committed.metadata


def test_explorer_reaches_the_view_with_its_numbers(executed):
    header, arrays = delivery.payload_of(executed.cells[-1].outputs[0].text.strip())
    assert header["sources"] == ["four", "<b>words</b>", "this", "time"]
    names = {}
    exec(CELLS[0], names)
    expected = delivery.payload_of(names["align"]("four <b>words</b> this time").html)
    assert expected[0] == header
    assert (arrays["weights"] == expected[1]["weights"]).all()


def test_figures_and_pictures_are_shown_and_closed(executed):
    count, kinds = executed.cells[5].outputs[0].text.split(" ", 1)
    assert count == "0"
    returned, shown, picture = eval(kinds)
    for outputs in (returned, shown, picture):
        assert outputs[0]["text"] == "Drawing abc\n"
        assert outputs[1]["image/png"].startswith("iVBORw0KGgo")
    assert returned[1]["text/plain"] == "The figure drawn for the text: abc"
    assert shown[1]["text/plain"] == "A line that starts at the length of the text."
