"""What a person changes about a series: its rule, and whether it goes on (M-10)."""

from django.conf import settings
from django.db import transaction

from campaigns.models import Series
from campaigns.series.make_series import read_name
from campaigns.series.rules import Repetition, first_run, require_possible
from config.clock import database_now
from config.errors import DomainError
from config.times import business_zone

State = Series.State
NO_TROUBLE = {"trouble": "", "last_error": ""}


def change_rule(*, series_id: int, name: str, repetition: Repetition) -> Series:
    """Follow another rule from the next run on; a paused series stays paused.

    Raises DomainError: ``series_ended``, ``unknown_series``, ``no_run_left``, or what
    ``make_series`` raises.
    """
    now = database_now()
    require_possible(repetition, today=now.astimezone(business_zone()).date())
    columns = {"name": read_name(name), **repetition.columns()}
    with transaction.atomic():
        series = _get_living(series_id)
        for column, value in columns.items():
            setattr(series, column, value)
        run = first_run(series, now=now)
        Series.objects.filter(pk=series_id).update(
            **columns,
            next_run_at=run if series.state == State.ACTIVE else None,
            time_zone=settings.TIME_ZONE,
        )
    series.refresh_from_db()
    return series


def pause_series(*, series_id: int, reason: str) -> None:
    """Make no run until it is resumed. Raises DomainError ``wrong_state`` unless it is active."""
    paused = Series.objects.filter(pk=series_id, state=State.ACTIVE).update(
        state=State.PAUSED, state_reason=reason[:200], next_run_at=None
    )
    _require(paused, series_id, "paused")


def resume_series(*, series_id: int) -> Series:
    """Go on with the next run from now; those of the pause are not made up for.

    Raises DomainError ``wrong_state`` unless it is paused, ``no_run_left``.
    """
    with transaction.atomic():
        series = _get_living(series_id)
        run = first_run(series, now=database_now())
        resumed = Series.objects.filter(pk=series_id, state=State.PAUSED).update(
            state=State.ACTIVE,
            state_reason="",
            next_run_at=run,
            time_zone=settings.TIME_ZONE,
            **NO_TROUBLE,
        )
        _require(resumed, series_id, "resumed")
    series.refresh_from_db()
    return series


def end_series(*, series_id: int, reason: str) -> None:
    """Make no run any more; its original is an ordinary draft again, its runs stay as they are.

    Raises DomainError ``wrong_state`` when it has ended.
    """
    ended = (
        Series.objects.living()
        .filter(pk=series_id)
        .update(state=State.ENDED, state_reason=reason[:200], next_run_at=None, **NO_TROUBLE)
    )
    _require(ended, series_id, "ended")


def dismiss_trouble(*, series_id: int) -> None:
    """Stop showing what went wrong with the last run: somebody has seen it."""
    Series.objects.filter(pk=series_id).update(**NO_TROUBLE)


def _get_living(series_id: int) -> Series:
    series = Series.objects.select_for_update().filter(pk=series_id).first()
    if series is None:
        raise DomainError("unknown_series", f"There is no series {series_id}.")
    if not series.is_living:
        raise DomainError(
            "series_ended", "This series has ended: repeat its campaign anew to go on."
        )
    return series


def _require(updated: int, series_id: int, wanted: str) -> None:
    if updated:
        return
    series = Series.objects.filter(pk=series_id).first()
    if series is None:
        raise DomainError("unknown_series", f"There is no series {series_id}.")
    raise DomainError(
        "wrong_state",
        f"This series is {series.get_state_display().lower()}: it cannot be {wanted} now.",
    )
