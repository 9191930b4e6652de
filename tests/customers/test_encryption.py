import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.environment import make_key, read_encryption_keys
from customers.encryption import (
    DecryptionError,
    blind_index,
    current_key_id,
    decrypt,
    decrypt_bytes,
    encrypt,
    encrypt_bytes,
    is_current,
)

OLD, NEW, OTHER = make_key(), make_key(), make_key()


def keys(*entries: str) -> dict[str, bytes]:
    return read_encryption_keys("FIELD_ENCRYPTION_KEYS", ",".join(entries))


@given(st.text())
def test_it_returns_what_it_was_given(plain: str) -> None:
    assert decrypt(encrypt(plain, place="t.c"), place="t.c") == plain


@given(st.binary())
def test_it_returns_the_bytes_it_was_given(plain: bytes) -> None:
    stored = encrypt_bytes(plain, place="t.c")
    assert decrypt_bytes(stored, place="t.c") == plain


def test_an_empty_text_stays_empty() -> None:
    assert encrypt("", place="t.c") == decrypt("", place="t.c") == ""


def test_it_never_makes_the_same_ciphertext_twice() -> None:
    assert encrypt("anna@example.com", place="t.c") != encrypt("anna@example.com", place="t.c")
    assert "anna" not in encrypt("anna@example.com", place="t.c")


def test_a_ciphertext_moved_to_another_column_raises() -> None:
    with pytest.raises(DecryptionError):
        decrypt(encrypt("anna@example.com", place="t.email"), place="t.phone")


def test_a_wrong_key_raises(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k1:{OLD}")
    stored = encrypt("anna@example.com", place="t.c")
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k1:{OTHER}")
    with pytest.raises(DecryptionError) as error:
        decrypt(stored, place="t.c")
    assert stored not in str(error.value)


def test_a_missing_key_raises(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k1:{OLD}")
    stored = encrypt("anna@example.com", place="t.c")
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k2:{NEW}")
    with pytest.raises(DecryptionError, match="FIELD_ENCRYPTION_KEYS"):
        decrypt(stored, place="t.c")


@pytest.mark.parametrize("stored", ["plain text", "t1.", "t1.AAAA", "t1.%%%%", ".", "ä.AAAA"])
def test_what_is_no_ciphertext_raises(stored: str) -> None:
    with pytest.raises(DecryptionError):
        decrypt(stored, place="t.c")


def test_a_changed_ciphertext_raises() -> None:
    stored = bytearray(encrypt_bytes(b"anna@example.com", place="t.c"))
    stored[-1] ^= 1
    with pytest.raises(DecryptionError):
        decrypt_bytes(bytes(stored), place="t.c")


def test_the_first_key_encrypts_and_all_decrypt(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k1:{OLD}")
    stored = encrypt("anna@example.com", place="t.c")
    settings.FIELD_ENCRYPTION_KEYS = keys(f"k2:{NEW}", f"k1:{OLD}")
    assert decrypt(stored, place="t.c") == "anna@example.com"
    assert current_key_id() == "k2"
    assert not is_current(stored)
    assert is_current(encrypt("anna@example.com", place="t.c"))


def test_an_index_is_equal_for_equal_texts_in_one_place_only(settings) -> None:
    index = blind_index("anna@example.com", place="t.email")
    assert index == blind_index("anna@example.com", place="t.email")
    assert index != blind_index("anna@example.com", place="t.phone")
    assert index != blind_index("bert@example.com", place="t.email")
    settings.BLIND_INDEX_KEY = b"k" * 32
    assert index != blind_index("anna@example.com", place="t.email")
