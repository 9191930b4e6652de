"""``/healthz`` and ``/readyz``, for load balancers and monitors."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.health import FAILED, check_readiness


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process is alive."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether database, broker, worker and beat are there; 503 when one is not."""
    checks = check_readiness()
    ready = all(check.status != FAILED for check in checks)
    answer = {"ready": ready, "checks": {check.name: check.status for check in checks}}
    return JsonResponse(answer, status=200 if ready else 503)
