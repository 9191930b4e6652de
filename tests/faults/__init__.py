import pytest

# Its assertions say what was wrong, as those of a test do.
pytest.register_assert_rewrite("tests.faults.invariants")
