"""docs/checks.md lists every check, and says rightly whether it blocks."""

import ast
import re
from pathlib import Path

TELLS = {"Problem", "_problem", "_remark", "_empty", "ContentError", "SafetyProblem"}
# Told through other calls, with their own tests.
OTHERS = {"template_syntax": "yes", "unknown_placeholder": "yes"}


def codes_in_source() -> dict[str, str]:
    """Code → what the table must say; empty where the code decides as it goes."""
    found = dict(OTHERS)
    modules = [*Path("campaigns/content").glob("*.py"), *Path("campaigns").glob("check_*.py")]
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", "")
            first = node.args[0]
            if name in TELLS and isinstance(first, ast.Constant) and first.value:
                blocking = [key.value for key in node.keywords if key.arg == "blocking"]
                literal = [value.value for value in blocking if isinstance(value, ast.Constant)]
                found[str(first.value)] = (
                    ""
                    if blocking and not literal
                    else "no"
                    if literal or name == "_remark"
                    else "yes"
                )
    return found


def test_the_table_is_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", Path("docs/checks.md").read_text(), re.M)
    listed = dict(rows)
    assert len(listed) == len(rows)
    found = codes_in_source()
    assert len(found) > 30
    assert listed.keys() == found.keys()
    assert {code: listed[code] for code, told in found.items() if told} == {
        code: told for code, told in found.items() if told
    }
