"""How fast the relay is, beside the least that the same work can cost, on traffic that nobody tuned for.

What could go wrong. A bench that repeats one person and one URL measures caches. A bench on a shared machine measures
its neighbours. A bench against a straw man measures nothing.

So: `traffic/` draws people, addresses, browsers and campaign URLs with long tails. Every figure is a ratio to a
baseline ("limit", in `least/`) of the same round: plain Python with the same libraries that does the least the work
needs. All contestants of a part take turns (`rounds.py`), so that a slow minute hits all of them; the interval is a
bootstrap over the rounds (`figures.py`). When the baseline itself wandered by more than 1.5 within the run, the part
says so and shows no figure. Servers are the real `conversion-relay serve` in a process of its own on loopback, and cost
is read from /proc, so that the load generator cannot be the bottleneck unseen.

Rejected: absolute limits (machines differ), the best of several runs (a wish, not a measurement), and pytest-benchmark
(it times functions; most of what is asked here is processes).
"""
