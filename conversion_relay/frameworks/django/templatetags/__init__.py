"""`{% load conversion_relay %}`."""
