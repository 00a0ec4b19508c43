"""Seeing what the bus does: logs, metrics, traces, health."""
