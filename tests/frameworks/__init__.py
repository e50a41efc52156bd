"""The doors into other people's programs, and the shops in examples/."""
