"""The ledger: what was accepted, where it goes, what became of it. The one truth of the bus."""
