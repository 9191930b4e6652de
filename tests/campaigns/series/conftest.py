from collections.abc import Callable
from datetime import datetime

import pytest

from campaigns.series import change_series, make_series, run_series


@pytest.fixture
def at(monkeypatch) -> Callable[[datetime], None]:
    """Sets the clock by which series are made and run."""

    def set_clock(moment: datetime) -> None:
        for module in (make_series, change_series, run_series):
            monkeypatch.setattr(module, "database_now", lambda: moment)

    return set_clock
