"""The console: where operators, agencies and auditors see the flow and mend it. See README.md."""
