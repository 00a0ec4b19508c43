"""The engine: accept, dispatch, deliver. Adapters, gateway and command line stand around it."""
