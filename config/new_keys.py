"""Print fresh keys for a new installation: ``python -m config.new_keys >> .env``."""

import secrets
import sys

from config.environment import make_key

if __name__ == "__main__":
    sys.stdout.write(
        f"SECRET_KEY={secrets.token_urlsafe(50)}\n"
        f"FIELD_ENCRYPTION_KEYS=k1:{make_key()}\n"
        f"BLIND_INDEX_KEY={make_key()}\n"
    )
