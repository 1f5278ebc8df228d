"""PostgreSQL and Valkey for an installation that names no services of its own.

All processes of one installation share one running pair. Each takes a *lease* (`hold`), which ends with the
process however it dies; a small *keeper* process stops the servers after the last lease. Needs no Django.
"""

from config.embedded.layout import EmbeddedError, Instance, instance
from config.embedded.lease import Lease, hold

__all__ = ["EmbeddedError", "Instance", "Lease", "hold", "instance"]
