"""The contract: canonical messages, codes, state tables, packet codecs. Imports nothing of ours."""
