"""Celery's doors: ids in, one call out. Any task may run twice, late, or never."""

from celery import shared_task

from customers.imports import forget_lists, lease
from customers.imports import run_import as use_case


@shared_task(name=lease.RUN_TASK)
def run_import(import_id: int) -> None:
    """Check or apply an import."""
    use_case.run_import(import_id=import_id)


@shared_task(name="customers.tend_imports")
def tend_imports() -> None:
    """Resume imports that nobody works on, forget what is left of old ones; beat calls this."""
    lease.resume_stalled_imports()
    forget_lists.forget_old_lists()
