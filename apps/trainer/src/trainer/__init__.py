"""Trains Foretell's models: a data set in, a model artifact out.

Not part of the service: the API reads artifacts and never imports Python.
Run by hand, or by the tests: `python -m trainer <pipeline> --data <csv> --out <dir>`.
"""


class TrainerError(Exception):
    """A refusal whose message tells the person at the terminal what to change."""
