import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.csv_cells import neutralise, restore


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+49151", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "  =1", "＝1", "'=1", "''-2"],
)
def test_it_neutralises_what_a_spreadsheet_would_run(cell: str) -> None:
    assert neutralise(cell) == f"'{cell}"
    assert restore(neutralise(cell)) == cell


@pytest.mark.parametrize("cell", ["", "Anna", "O'Neill", "'tis", "a=b", "12", "3-4"])
def test_it_leaves_harmless_cells_alone(cell: str) -> None:
    assert neutralise(cell) == restore(cell) == cell


def test_it_reads_numbers_as_shopify_guards_them() -> None:
    assert restore("'6543219876") == "6543219876"


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n 1aＡ＝"), max_size=6) | st.text())
def test_reading_undoes_guarding(cell: str) -> None:
    assert restore(neutralise(cell)) == cell
