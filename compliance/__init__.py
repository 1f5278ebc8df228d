"""May we, and can we prove it: consent, suppression, audit log, vault. Imports no other app."""
