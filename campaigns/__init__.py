"""What is said, when, to whom it went and what came of it. Imports segments and compliance."""
