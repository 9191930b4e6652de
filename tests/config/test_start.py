import pytest
from django.test import Client

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("groups", "address"), [(["Till staff"], "/scan/"), (["Marketing"], "/admin/"), ([], "/admin/")]
)
def test_the_bare_address_leads_to_ones_work(
    client: Client, groups: list[str], address: str
) -> None:
    client.force_login(UserFactory(groups=groups))
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, address)


def test_a_page_that_is_not_ones_own_says_so_in_the_look_of_the_house(client: Client) -> None:
    client.force_login(UserFactory(groups=["Till staff"]))
    answer = client.get("/captured/")
    assert answer.status_code == 403
    assert "This page is not for you" in answer.content.decode()
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()
