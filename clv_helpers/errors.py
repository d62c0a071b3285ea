"""What went wrong and a person can mend: one sentence, on the command line and in a notebook, without a stack trace."""


class UserError(Exception):
    """Base of the errors whose text is all that an analyst needs."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback."""
        return [str(self)]
