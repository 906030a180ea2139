"""Table of what an address did not take: it refused the content, for good, and the events after it went on."""

LETTERS = """
create table dead_letter (
    n integer primary key autoincrement,
    webhook integer not null,
    at text not null,
    event text not null,              -- id of the event, as it was sent
    why text not null,                -- what the address answered
    body text not null                -- JSON, as it was sent
);
create index dead_letter_webhook on dead_letter (webhook, n);
"""
