"""The size of each scenario in scripts/test, on machines that may be busy with other work: limits of time
find a collapse there, no more. What is not here is in the short form in another way: README.md says
where."""

SHORT = {
    "replies": {"requests": 50_000, "warm_up": 20_000, "window": 30_000},
    "kills": {"kills": 20, "every_s": 0.5},
    "sigterm": {"runs": 10},
    "overload": {"seconds": 4.0, "refusal_ms": 500.0, "goodput_share": 0.5},
    "descriptors": {},
}
