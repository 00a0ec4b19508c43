"""Alerts in the bus itself: rules over what the ledger has, and the channels that are told."""
