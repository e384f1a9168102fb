"""Tables: one row a sample."""
