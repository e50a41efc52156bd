"""AWS's door: Lambda events to requests and back, the delivery function, and what it remembers."""
