"""The one exception a learner is meant to read: a plain sentence that says what is wrong and what to do."""


class CourseError(RuntimeError):
    """Something outside the lesson went wrong: no network, no disk space, no memory, a damaged file.

    A notebook shows the sentence alone, without a stack of library frames. Bad arguments raise ``ValueError`` instead.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines IPython prints in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]
