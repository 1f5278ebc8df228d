"""Endpoints about people: who they are, what they did, what they decided, and in which segments they are."""
