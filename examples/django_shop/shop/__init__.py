"""A shop on Django: an order and its Purchase in one transaction."""
