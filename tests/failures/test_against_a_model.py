"""Whatever is done to a store, in whatever order: it shows what a model in memory shows."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.saver_model import (
    SaverAndModel,
)


def test_a_saver_shows_what_the_model_shows_whatever_was_done(url: str) -> None:
    SaverAndModel.url = url
    run_state_machine_as_test(
        SaverAndModel,
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
