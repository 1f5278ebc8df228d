"""Database triggers that hold a ledger append-only, whoever writes to it."""

import pgtrigger

APPEND_ONLY = [
    pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
    pgtrigger.Trigger(
        name="never_truncated",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'append-only: % cannot be truncated', TG_TABLE_NAME;",
    ),
]
