"""Whatever is done to a store, in whatever order: it shows what a model in memory shows."""

from __future__ import annotations

from tests.support.machines import run_machine
from tests.support.saver_model import SaverAndModel


def test_a_saver_shows_what_the_model_shows_whatever_was_done(url: str) -> None:
    run_machine(SaverAndModel, url, number=15)
