"""A simulated SOAP register of invented citizens, to try services on. See README.md."""
