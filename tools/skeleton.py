"""The parts of an empty lesson: its cells in order, and the two small files of its exercises."""

from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools import notebook_files
from tools.lesson_template import SETUP_TAGS, launch_links, setup_cell
from utils.lessons import LESSONS, Lesson

EXERCISES = ("first", "second", "third")
SECTIONS = ("The first idea", "The second idea", "The third idea", "The fourth idea", "The fifth idea")


def cells(lesson: Lesson) -> Iterator[NotebookNode]:
    """Yield the cells of an empty lesson: the whole pattern, with a small working example in every place."""
    yield _text(f"# Lesson {lesson.number} · {lesson.title}\n\nSay in one sentence what this lesson answers.", "slide")
    yield _text(launch_links(lesson), "skip", "launch")
    yield _text(
        "**What you will be able to do**\n\n- say …\n- build …\n- measure …\n\n"
        "**Time**: 45 minutes to read and play, about ten seconds to run on two CPU cores.",
        "fragment",
    )
    yield _notes("what the room should know by now, and what it will know at the end", 2)
    yield _code(setup_cell(), "skip", *SETUP_TAGS)
    yield _code(
        "import matplotlib.pyplot as plt\n\n"
        "from utils import plots\nfrom utils.course import claim\nfrom utils.exercises import check, progress, quiz",
        "skip",
    )
    for number, title in enumerate(SECTIONS, 1):
        yield from _section(number, title)
    yield _text(
        "> **Slide notes.** The slide's code does … when it is run today. Here it was changed to …, because …",
        "subslide",
    )
    yield _text("## Play\n\nSay what to change, and what to watch.", "slide")
    yield _code("before_1 + after_1", "-")
    yield _text("## Exercises", "slide")
    for number, name in enumerate(EXERCISES, 1):
        yield from _exercise(lesson, number, name)
    yield _text("## Quiz", "slide")
    yield _code(f"quiz.show({lesson.number})", "-", "quiz")
    yield _code(f'quiz.answer({lesson.number}, q1="?", q2="?", q3="?")', "skip", "quiz")
    yield _code("progress.summary()", "skip", "nbval-ignore-output", "progress")
    yield _text("## In five lines\n\n- …\n- …\n- …\n- …\n- …", "slide")
    yield _text(_where_next(lesson), "subslide")


def _section(number: int, title: str) -> Iterator[NotebookNode]:
    before, after = f"before_{number}", f"after_{number}"
    alt = f"Bar chart of recall in section {number}: 0.4 before, 0.8 after."
    yield _text(f"## {number} · {title}\n\nSay why before how, and define each term where it first appears.", "slide")
    yield _notes("what to say, and the usual misconception", 5)
    yield _text("**Predict.** What will the next cell print? Say it before you run it.", "fragment")
    yield _code(f"{before}, {after} = 0.4, 0.8\nprint(f'recall {{{before}:.1f}} → {{{after}:.1f}}')", "-")
    yield _text("**Look.** Say which cell to change, and what to watch in the picture.", "subslide")
    yield _code(
        "figure, axes = plt.subplots()\n"
        f'plots.bars(axes, {{"before": {before}, "after": {after}}}, y_label="recall (share of words)")\n'
        f'plots.show(figure, alt="{alt}")',
        "-",
    )
    yield _text("**What to notice.** Recall doubles.", "fragment")
    yield _code(f'claim("recall doubles in section {number}", {after} == 2 * {before})', "skip", "claim")


def _exercise(lesson: Lesson, number: int, name: str) -> Iterator[NotebookNode]:
    function = function_name(lesson, name)
    yield _text(
        f"### Exercise {number} · {_title(lesson, name)}\n\ndifficulty 1 of 5 · about 5 minutes\n\n"
        "Write a function that returns twice its argument.",
        "subslide",
    )
    yield _code(
        f'def {function}(numbers):\n    """Return twice the numbers."""\n'
        f'    raise NotImplementedError("your turn")\n\n\ncheck.{function}({function})',
        "-",
        "exercise",
    )
    hints = ("What is twice?", "Multiply.", "`2 * numbers`")
    yield _text(
        "\n".join(f"<details><summary>Hint {n}</summary>\n\n{hint}\n\n</details>" for n, hint in enumerate(hints, 1)),
        "skip",
    )
    solution = f"def {function}_solution(numbers):\n    return 2 * numbers\n\n\n"
    yield _code(f"{solution}check.{function}({function}_solution, record=False)", "skip", "solution")


def function_name(lesson: Lesson, name: str) -> str:
    """Return the name of an example exercise; names are unique over the course."""
    return f"{name}_of_lesson_{lesson.number}"


def _title(lesson: Lesson, name: str) -> str:
    return f"The {name} exercise of lesson {lesson.number}"


def _where_next(lesson: Lesson) -> str:
    following = LESSONS[lesson.number % len(LESSONS)]  # after the last, the first again
    there = (notebook_files.FOLDER / following.file).exists()
    words = f"[Lesson {following.number}]({following.file})" if there else f"Lesson {following.number}"
    return f"## Where next\n\n- {words}, *{following.title}*: what it is good for.\n- A paper, with its link."


def _text(source: str, slide: str, *tags: str) -> NotebookNode:
    return new_markdown_cell(source, metadata=_metadata(slide, tags))


def _code(source: str, slide: str, *tags: str) -> NotebookNode:
    return new_code_cell(source, metadata=_metadata(slide, tags))


def _notes(what: str, minutes: int) -> NotebookNode:
    start = f"<details><summary>Speaker notes · {minutes} min</summary>"
    return _text(f"{start}\n\nWrite here {what}. Ask the room: …\n\n</details>", "notes")


def _metadata(slide: str, tags: tuple[str, ...]) -> dict[str, object]:
    return {"slideshow": {"slide_type": slide}, **({"tags": list(tags)} if tags else {})}


_CHECK = '''

@exercise(lesson={number}, title="{title}", minutes=5, difficulty=1)
def {function}(attempt: Attempt) -> None:
    """Twice the numbers."""
    numbers = torch.tensor([1.0, 3.0])
    wrong = [(numbers**2, "the numbers are squared: multiply by 2"), (numbers + 2, "2 is added: multiply by it")]
    expect_close(attempt(numbers), 2 * numbers, "twice the numbers", known_wrong=wrong)
'''

_QUIZ = """

QUIZ = (
    Question(
        "What is twice three?",
        (
            Option("Six", "Two times three.", correct=True),
            Option("Nine", "That is three squared."),
            Option("Five", "That is three and two."),
        ),
    ),
    Question(
        "And twice five?",
        (
            Option("Seven", "That is five and two."),
            Option("Ten", "Two times five.", correct=True),
            Option("Twenty-five", "That is five squared."),
        ),
    ),
    Question(
        "And twice nothing?",
        (
            Option("Two", "That is nothing and two."),
            Option("One", "That is two to the power of nothing."),
            Option("Nothing", "Two times nothing.", correct=True),
        ),
    ),
)
"""


def checks(lesson: Lesson) -> str:
    """Return the source of the module that checks the lesson's exercises and holds its quiz."""
    start = (
        f'"""Checks and quiz of lesson {lesson.number}."""\n\nimport torch\n\n'
        "from utils.exercises import Attempt, Option, Question, exercise, expect_close\n"
    )
    each = (
        _CHECK.format(number=lesson.number, title=_title(lesson, n), function=function_name(lesson, n))
        for n in EXERCISES
    )
    return start + "".join(each) + _QUIZ


def wrong_answers(lesson: Lesson) -> str:
    """Return the source of the file that holds, for each exercise, wrong answers and what they must be told."""
    pair = '[(lambda numbers: numbers**2, "squared"), (lambda numbers: numbers + 2, "added")]'
    lines = "".join(f'    "{function_name(lesson, name)}": {pair},\n' for name in EXERCISES)
    return f'"""Wrong answers to the exercises of lesson {lesson.number}."""\n\nWRONG = {{\n{lines}}}\n'
