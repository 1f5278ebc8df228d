"""Who: people, identities, events, tags, scores and segments. Imports compliance only."""
