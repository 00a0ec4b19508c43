"""One folder per partner protocol, each the same shape; see adapters/README.md."""
