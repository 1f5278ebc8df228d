"""What the endpoints of all apps share: strict input, scopes, pages, repeats of writes."""
