"""Ways in which data is provided (TT 13/2017/TT-BTTTT): see README.md."""
