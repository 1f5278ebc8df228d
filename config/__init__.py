"""Settings, routes, roles and processes of a Heed installation; imports anything, imported by nobody."""
