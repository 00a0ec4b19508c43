"""The demo: a province's day through the bus, checked at the end. `sh deploy/demo.sh --help`."""
