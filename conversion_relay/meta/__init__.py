"""What Meta says: its rules, its words, its errors. The only room that changes when Meta does.

In comes Meta's JSON of one event, or the bytes of Meta's answer; out come normalised and hashed match keys, findings
with a remedy, the bytes of a request, and an `Outcome`. Everything is pure: time and dates are arguments, and nothing
here may know a request, a setting, an outbox or who is asking.

customer_information/  one file per kind of match key: normalise, hash, or drop with a reason
click_id.py            `_fbp` and `_fbc`: read, build from a URL, never change
validate.py            why Meta would refuse an event; reasons.py has the sentences, advice.py what Meta only frowns at
graph.py, batch.py     build one request, read one answer; how many events go together
finding.py             the shape of a finding

The names are not handed on here: a Lambda function that needs one of these modules must not load all of them.
"""
