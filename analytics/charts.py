"""Column charts as plain shapes, so that they need no script and show the tables' own figures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One column of a chart of 100 by 100 units."""

    label: str
    count: int
    x: str
    y: str
    width: str
    height: str


def bars(points: list[tuple[str, int]]) -> list[Bar]:
    """Return a column for each (label, count), the highest 100 units high; none if all are 0."""
    highest = max((count for _, count in points), default=0)
    if not highest:
        return []
    room = 100 / len(points)
    return [
        Bar(
            label=label,
            count=count,
            x=f"{(n + 0.05) * room:.3f}",
            y=f"{100 - 100 * count / highest:.3f}",
            width=f"{0.9 * room:.3f}",
            height=f"{100 * count / highest:.3f}",
        )
        for n, (label, count) in enumerate(points)
    ]
