"""The ledger: what was intended, what was done, and who did it."""
