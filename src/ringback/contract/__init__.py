"""What the documentation promises, as data: clauses, schemas, and the verdicts on them."""
