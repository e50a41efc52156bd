"""Library mode: what a program with two lines of ours notices."""
