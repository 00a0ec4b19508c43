"""What runs: ledger, broker, engine, gateway, ops, command line."""
