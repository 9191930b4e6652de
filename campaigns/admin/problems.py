"""Where a problem is mended: the place in the editor, or the page for whoever runs Handbill."""

from dataclasses import dataclass
from urllib.parse import urlencode

from campaigns.admin.page import address
from campaigns.content.problems import Problem
from campaigns.models import Campaign

# What no marketer can mend: the operator's page about it.
OPERATORS_PAGES = {
    "sender_not_configured": "docs/alarms/email.md",
    "address_not_public": "docs/alarms/address.md",
}
# The audience can be changed on the confirm page itself.
AUDIENCE_FIELD = "target_segments"
AUDIENCE_URL = "#hb-audience"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem with the address at which it is mended, or the page that tells ops how."""

    problem: Problem
    url: str = ""
    operators_page: str = ""


def place_problems(
    campaign: Campaign, problems: list[Problem], *, may_change: bool, may_change_audience: bool
) -> list[Finding]:
    """Return problems, those that block first, each with its place for who may mend it."""
    ordered = sorted(problems, key=lambda problem: not problem.blocking)
    return [_place(campaign, problem, may_change, may_change_audience) for problem in ordered]


def _place(
    campaign: Campaign, problem: Problem, may_change: bool, may_change_audience: bool
) -> Finding:
    if problem.code in OPERATORS_PAGES:
        return Finding(problem, operators_page=OPERATORS_PAGES[problem.code])
    if problem.field == AUDIENCE_FIELD and may_change_audience:
        return Finding(problem, url=AUDIENCE_URL)
    if not (problem.field and may_change):
        return Finding(problem)
    where: dict[str, str | int] = {"field": problem.field}
    if problem.line:
        where["line"] = problem.line
    return Finding(problem, url=f"{address('change', campaign)}?{urlencode(where)}")
