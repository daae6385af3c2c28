"""The client of a Reelflow server: it speaks HTTP alone, and knows no ledger."""
