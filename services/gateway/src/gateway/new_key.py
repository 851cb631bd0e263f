"""Makes an API key: `python -m gateway.new_key --name shop --scopes read events`.

Out: on stderr the secret, which is kept nowhere and shown this once; on stdout the entry for the file of keys, so that
`>> api-keys.yaml` appends it (to a file whose last list is `keys`; a new one starts with that line).
"""

import argparse
import hashlib
import secrets
import sys
from datetime import datetime
from typing import Final, get_args

import yaml
from pydantic import ValidationError

from gateway.api_keys import Key, ScopeName

_BYTES: Final = 32
_PREFIX: Final = "rk_"  # by which a scanner of repositories and logs finds a key that got there


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0. Nothing is written to any file."""
    parser = argparse.ArgumentParser(prog="python -m gateway.new_key", description="Make an API key.")
    parser.add_argument("--name", required=True, help="who uses it; stands in the log lines of its requests")
    parser.add_argument("--scopes", required=True, nargs="+", choices=get_args(ScopeName))
    parser.add_argument("--rate-limit", metavar="N/UNIT", help="such as 600/minute")
    parser.add_argument("--expires-at", type=datetime.fromisoformat, metavar="TIME", help="with its time zone")
    given = parser.parse_args(arguments)
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    entry = {
        "name": given.name,
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "scopes": given.scopes,
        "rate_limit": given.rate_limit,
        "expires_at": given.expires_at and given.expires_at.isoformat(),
    }
    given_fields = {name: value for name, value in entry.items() if value is not None}
    try:
        Key.model_validate(given_fields)
    except ValidationError as error:
        first = error.errors()[0]
        parser.error(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    line = yaml.safe_dump(given_fields, default_flow_style=True, sort_keys=False, width=10_000).strip()
    sys.stderr.write(f"the key, shown this once: {secret}\nits entry under `keys:` of GATEWAY_API_KEYS_FILE:\n")
    sys.stdout.write(f"  - {line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
