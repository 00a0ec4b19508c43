"""Pure decisions: who a message goes to, over which endpoint, and why. No I/O."""
