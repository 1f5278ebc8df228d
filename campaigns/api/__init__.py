"""Endpoints about messages: who got which, and why the others got none."""
