"""The errors that reach the user as one line and an exit code."""


class SentimentError(Exception):
    """The data or the environment is at fault.

    The message is one line that names the file, the row or column, and the way out.
    """

    exit_code = 1


class UsageError(SentimentError):
    """The command line is at fault: a bad flag, a bad recipe name, a clash of column names."""

    exit_code = 2


class RegressionError(SentimentError):
    """A regression gate failed: everything was measured and written, and the new model is worse than the old one."""

    exit_code = 3
