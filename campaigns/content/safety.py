"""What a template may contain, decided on its syntax tree when it is compiled (R-1).

The sandbox keeps a template away from the program, but not from its memory and time. So only what
is listed here is let through, loops run over the customer's own lists alone, and their work is
counted beforehand: nothing that a template says can become large.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from campaigns.content.errors import ContentError
from campaigns.content.pictures import LONGEST_NAME, MOST_PICTURES, calls_in
from campaigns.content.placeholders import GROUPS, MAX_ITEMS, NAMES
from campaigns.content.sandbox import FILTERS, LOOP_FACTS, OWN_LIST, TESTS, Sandbox

MAX_TOKENS = 6_000
MAX_NESTING = 40
# Steps of one message whose lists are all as long as a list may be.
MAX_WORK = 300_000
FILTER_WORK = 20
MAX_CONSTANT_TEXT = 200
MAX_CONSTANT_NUMBER = 10**9
MAX_ARGUMENT_NUMBER = 1_000

# The one call there is, and the value that takes its place: a dictionary from names to addresses,
# under a name that no template can write. Nothing is called when a template runs.
IMAGE = "image"
PICTURES = "_pictures"
ATTRIBUTES = ("customer", "attributes")
LISTS = {("customer", "segment_list")}

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Const),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.List, nodes.Tuple),
)
# How the refused parts of the language look to the person who wrote them.
_WRITTEN = {
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Block: "{% block %}",
    nodes.CallBlock: "{% call %}",
    nodes.Concat: "“~”",
    nodes.Dict: "a {…} dictionary",
    nodes.Extends: "{% extends %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.FloorDiv: "“//”",
    nodes.FromImport: "{% import %}",
    nodes.Import: "{% import %}",
    nodes.Include: "{% include %}",
    nodes.Macro: "{% macro %}",
    nodes.Mod: "“%”",
    nodes.Pow: "“**”",
    nodes.Slice: "a […:…] slice",
    nodes.With: "{% with %}",
}
_FILTER_HINTS = {
    "safe": "values are always shown as text, never as HTML",
    "e": "values are escaped by themselves, so leave it out",
    "escape": "values are escaped by themselves, so leave it out",
}


@dataclass(slots=True)
class Examined:
    """A template as a tree, the placeholders it uses, and everything that is wrong with it.

    ``tree`` must not be compiled while there are ``errors``. ``images`` are the names of uploaded
    pictures → the line of the first use; whether there are such pictures is not looked at here.
    """

    tree: nodes.Template | None = None
    placeholders: set[str] = field(default_factory=set)
    images: dict[str, int] = field(default_factory=dict)
    errors: list[ContentError] = field(default_factory=list)


def examine(source: str, *, field: str, sandbox: Sandbox) -> Examined:
    """Read a template of the campaign's ``field`` and check every part of it."""
    examiner = _Examiner(field, sandbox)
    try:
        tokens = islice(sandbox.lexer.tokeniter(source, None), MAX_TOKENS + 1)
        if sum(1 for _ in tokens) > MAX_TOKENS:
            examiner.refuse(None, "there are too many placeholders and conditions. Use fewer.")
        else:
            tree = sandbox.parse(source)
            examiner.visit(tree, depth=0, loops=())
            if examiner.result.images:
                examiner.check_images(source)
            if examiner.result.images and not examiner.result.errors:
                _LookUpPictures().visit(tree)
            examiner.result.tree = tree
    except TemplateSyntaxError as error:
        reason = (error.message or "it is not finished").rstrip(".")
        examiner.add("template_syntax", error.lineno, f"this cannot be read: {reason}.")
    except RecursionError:
        examiner.refuse(None, "it is nested too deeply. Take some brackets or conditions out.")
    except ValueError:  # a number of thousands of digits
        examiner.refuse(None, "a number is too long to be read.")
    if examiner.work > MAX_WORK:
        examiner.refuse(
            None,
            "its loops would take too long. Put less inside them, and at most two in one another.",
        )
    return examiner.result


class _Examiner:
    """Walks one tree, collecting placeholders and errors."""

    def __init__(self, field: str, sandbox: Sandbox) -> None:
        self.field = field
        self.sandbox = sandbox
        self.work = 0
        self.result = Examined()

    def add(self, code: str, line: int | None, message: str) -> None:
        error = ContentError(code, message, field=self.field, line=line)
        if error.message not in {known.message for known in self.result.errors}:
            self.result.errors.append(error)

    def refuse(self, line: int | None, message: str) -> None:
        self.add("template_refused", line, message)

    def visit(self, node: nodes.Node, *, depth: int, loops: tuple[str, ...]) -> None:
        """Check a node and everything in it; ``loops`` names the variables of the loops around."""
        self.work += MAX_ITEMS ** len(loops) * (
            FILTER_WORK if isinstance(node, nodes.Filter) else 1
        )
        if depth > MAX_NESTING:
            self.refuse(node.lineno, "this is nested too deeply. Take some of it apart.")
        elif isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            self._check_name(node, loops)
        elif isinstance(node, nodes.For):
            self._check_loop(node, depth, loops)
        elif isinstance(node, nodes.Filter):
            self._check_filter(node, depth, loops)
        elif isinstance(node, nodes.Test):
            self._check_test(node, depth, loops)
        elif isinstance(node, nodes.Call) and _path_of(node.node) == (IMAGE,):
            self._check_image(node, loops)
        elif isinstance(node, _ALLOWED):
            self._check_plain(node)
            for child in node.iter_child_nodes():
                self.visit(child, depth=depth + 1, loops=loops)
        else:
            self._refuse_node(node)

    def _refuse_node(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Call):
            name = _path_of(node.node)
            called = ".".join(map(str, name)) if name else "…"
            written = f"the call {called}(…)"
        else:
            written = _WRITTEN.get(type(node), f"“{type(node).__name__}”")
        self.refuse(
            node.lineno,
            f"{written} cannot be used. Use placeholders, filters, {{% if %}} and {{% for %}}.",
        )

    def _check_image(self, node: nodes.Call, loops: tuple[str, ...]) -> None:
        written = node.args[0] if len(node.args) == 1 else None
        more = node.kwargs or node.dyn_args or node.dyn_kwargs
        name = written.value if isinstance(written, nodes.Const) else None
        if self.field != "email_content":
            self.refuse(node.lineno, "only the email shows pictures. Take image(…) out.")
        elif IMAGE in loops:
            self.refuse(node.lineno, "“image” is the name of a loop here: give that another name.")
        elif more or not isinstance(name, str) or not name:
            self.refuse(
                node.lineno,
                "image(…) takes one name in quotation marks and nothing else: "
                '{{ image("summer-pizza") }}.',
            )
        else:
            self.result.images.setdefault(name[: LONGEST_NAME + 1], node.lineno)

    def check_images(self, source: str) -> None:
        """Refuse names that are not written plainly: whoever looks for a name must find it."""
        plain = calls_in(source)
        for name, line in self.result.images.items():
            if name not in plain:
                self.refuse(
                    line,
                    f"“{name}” cannot be the name of a picture. Write it as the library does: "
                    "small letters, digits and hyphens in one pair of quotation marks.",
                )
        if len(self.result.images) > MOST_PICTURES:
            self.refuse(None, f"it shows more than {MOST_PICTURES} pictures. Use fewer.")

    def _check_plain(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Const):
            value = node.value
            if isinstance(value, int | float) and not abs(value) <= MAX_CONSTANT_NUMBER:
                self.refuse(node.lineno, "this number is too large.")
            if isinstance(value, str) and len(value) > MAX_CONSTANT_TEXT:
                self.refuse(node.lineno, "this text in quotation marks is too long.")
        elif isinstance(node, nodes.List | nodes.Tuple) and not all(
            isinstance(item, nodes.Const) for item in node.items
        ):
            self.refuse(node.lineno, "a list in brackets may hold texts and numbers only.")

    def _check_name(self, node: nodes.Expr, loops: tuple[str, ...]) -> None:
        path = _path_of(node)
        if path is None:
            self.refuse(node.lineno, "brackets may hold a name or a number only, after a name.")
            return
        written = ".".join(map(str, path))
        if any(isinstance(part, str) and part.startswith("_") for part in path):
            self.refuse(node.lineno, f"“{written}” is not a field of anything.")
        elif path[0] in loops:
            return
        elif path[0] == "loop" and loops:
            if len(path) != 2 or path[1] not in LOOP_FACTS:
                facts = ", ".join(f"loop.{fact}" for fact in sorted(LOOP_FACTS))
                self.refuse(node.lineno, f"“{written}” is not known: use {facts}.")
        else:
            self._check_placeholder(path, written, node.lineno)

    def _check_placeholder(self, path: tuple[str | int, ...], written: str, line: int) -> None:
        if path[:2] == ATTRIBUTES and len(path) > 2:
            self.result.placeholders.add("customer.attributes.*")
        elif path[:2] in LISTS and all(isinstance(part, int) for part in path[2:]):
            self.result.placeholders.add(".".join(map(str, path[:2])))
        elif self.field == "subject" and written == "campaign.subject":
            self.add("unknown_placeholder", line, "the subject cannot contain itself.")
        elif path[0] == IMAGE:
            self.add(
                "unknown_placeholder",
                line,
                'a picture needs its name: {{ image("summer-pizza") }}.',
            )
        elif written in NAMES:
            self.result.placeholders.add(written)
        else:
            self.add("unknown_placeholder", line, _unknown(written))

    def _check_loop(self, node: nodes.For, depth: int, loops: tuple[str, ...]) -> None:
        path = _path_of(node.iter)
        own = path and (path[0] in loops or path[:2] == ATTRIBUTES or path in LISTS)
        if not own:
            self.refuse(
                node.iter.lineno,
                "a loop may run over the customer’s own lists only: customer.segment_list or a "
                "list in customer.attributes.",
            )
            return
        self.visit(node.iter, depth=depth + 1, loops=loops)
        target = node.target
        if not isinstance(target, nodes.Name):
            self.refuse(node.lineno, "a loop needs one name: {% for item in … %}.")
            return
        if target.name in {*NAMES, *GROUPS, *loops, "loop"}:
            self.refuse(node.lineno, f"“{target.name}” has a meaning already: choose another name.")
        if node.recursive:
            self.refuse(node.lineno, "a loop cannot be recursive.")
        inside = (*loops, target.name)
        for child in (node.test, *node.body, *node.else_):
            if child is not None:
                self.visit(child, depth=depth + 1, loops=inside)
        # At run time, too, a text or a number that stands in the list's place is no list.
        node.iter = nodes.Filter(
            node.iter, OWN_LIST, [], [], None, None, environment=self.sandbox, lineno=node.lineno
        )

    def _check_filter(self, node: nodes.Filter, depth: int, loops: tuple[str, ...]) -> None:
        if node.name not in FILTERS:
            hint = _FILTER_HINTS.get(node.name) or "use " + ", ".join(sorted(FILTERS))
            self.refuse(node.lineno, f"the filter “{node.name}” cannot be used: {hint}.")
            return
        if node.node is None or node.dyn_args or node.dyn_kwargs:
            self.refuse(node.lineno, f"the filter “{node.name}” cannot be used like this.")
            return
        self.visit(node.node, depth=depth + 1, loops=loops)
        for argument in (*node.args, *(pair.value for pair in node.kwargs)):
            self.visit(argument, depth=depth + 1, loops=loops)
            if node.name in {"d", "default"}:
                continue
            constant = isinstance(argument, nodes.Const)
            value = argument.value if isinstance(argument, nodes.Const) else None
            if not constant or (
                isinstance(value, int | float) and not 0 <= value <= MAX_ARGUMENT_NUMBER
            ):
                self.refuse(
                    node.lineno,
                    f"the filter “{node.name}” takes a text in quotation marks or a number up to "
                    f"{MAX_ARGUMENT_NUMBER:,}.",
                )

    def _check_test(self, node: nodes.Test, depth: int, loops: tuple[str, ...]) -> None:
        if node.name not in TESTS or node.dyn_args or node.dyn_kwargs or node.kwargs:
            self.refuse(node.lineno, f"the test “is {node.name}” cannot be used.")
            return
        for child in (node.node, *node.args):
            self.visit(child, depth=depth + 1, loops=loops)


class _LookUpPictures(NodeTransformer):
    """Makes a look-up of every call of ``image``: ``image("x")`` becomes ``_pictures["x"]``."""

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        """Return the look-up, on the same line."""
        pictures = nodes.Name(PICTURES, "load", lineno=node.lineno)
        return nodes.Getitem(pictures, node.args[0], "load", lineno=node.lineno)


def _path_of(node: nodes.Node) -> tuple[str | int, ...] | None:
    """Return («customer», «attributes», «x») for ``customer.attributes.x``; None for no path."""
    parts: list[str | int] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif (
            isinstance(node, nodes.Getitem)
            and isinstance(node.arg, nodes.Const)
            and isinstance(node.arg.value, str | int)
        ):
            parts.append(node.arg.value)
        else:
            return None
        node = node.node
    return (node.name, *reversed(parts))


def _unknown(written: str) -> str:
    message = f"there is no placeholder “{written[:80]}”."
    if written in GROUPS or written == "customer.attributes":
        members = sorted(name for name in NAMES if name.startswith(f"{written}."))
        return (
            f"“{written}” is a group: choose from it, such as {members[-1].replace('*', 'city')}."
        )
    close = difflib.get_close_matches(written[:80], NAMES, n=1)
    return f"{message} Did you mean {close[0]}?" if close else f"{message} Choose one of the list."


def unknown_image(name: str, library: Sequence[str], *, field: str, line: int) -> ContentError:
    """Return the error about a picture that the library does not have, with the nearest name."""
    close = difflib.get_close_matches(name, library, n=1)
    advice = f"Did you mean “{close[0]}”?" if close else "Add it under Images first."
    return ContentError(
        "unknown_image",
        f"there is no picture “{name}” in the library. {advice}",
        field=field,
        line=line,
    )
