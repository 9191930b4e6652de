import re

import grimp
import pytest
from django.apps import apps
from django.db.models import ForeignObjectRel

APPS = ["customers", "qrcodes", "campaigns", "analytics"]  # lowest first
SHELL = re.compile(r"^\w+\.(admin|views|api|urls|management|tasks)(\.|$)")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*APPS)


def test_no_core_imports_a_shell(graph: grimp.ImportGraph) -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in graph.modules
        if not SHELL.match(module)
        for imported in graph.find_modules_directly_imported_by(module)
        if SHELL.match(imported)
    ]
    assert len(graph.modules) > 20
    assert not wrong


def test_no_lower_app_can_look_up_an_upper_one() -> None:
    """A reverse name such as ``customer.deliveries`` is an upward import in disguise."""
    wrong = []
    for level, label in enumerate(APPS):
        for model in apps.get_app_config(label).get_models():
            for relation in model._meta.get_fields(include_hidden=True):
                if not isinstance(relation, ForeignObjectRel) or relation.hidden:
                    continue
                upper = relation.related_model._meta.app_label
                if upper in APPS and APPS.index(upper) > level:
                    wrong.append(f"{relation.related_model.__name__}.{relation.field.name}")
    assert not wrong
