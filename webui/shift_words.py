"""What the shift process says in sentences, in the viewer's language: reasons of holds, refusals, progress."""

from .words import N_, Gettext, saying, translated

SAYINGS = (
    saying(r"^no answer from (?P<who>\S+): it may or may not", N_("No answer from %(who)s: it may or may not be done")),
    saying(r"^not done, because the audit trail cannot be written", N_("Not done: the audit trail cannot be written")),
    # alarms
    saying(r"^its process does not move$", N_("its process does not move")),
    saying(r"^alarm \S+ is normal$", N_("This alarm is gone already")),
    saying(r"^alarm \S+ is .*: there is nothing to acknowledge$", N_("There is nothing to acknowledge any more")),
    saying(r"^alarm \S+ is .*: only a latched one", N_("It cannot be reset yet: its cause still stands")),
    saying(r"^alarm \S+ is .*: it cannot be shelved$", N_("This alarm cannot be shelved now")),
    saying(r"^alarm \S+ may not be (shelved|taken out)", N_("This alarm may not be kept quiet: do what it says")),
    saying(r"^alarm \S+ is .*: it is not shelved$", N_("This alarm is not shelved any more")),
    saying(r"^alarm \S+ is out of service already$", N_("This alarm is out of service already")),
    saying(r"^alarm \S+ is .*: it is not out of service$", N_("This alarm is in service already")),
    saying(r"^there is no alarm \S+$", N_("There is no such alarm")),
    saying(r"^there is nothing to acknowledge$", N_("There is nothing to acknowledge any more")),
    saying(r"^the inspection is stopped already, by (?P<who>.+)$", N_("%(who)s has stopped the inspection already")),
    saying(r"^the inspection is not stopped by a person$", N_("The inspection is not stopped")),
    # products
    saying(
        r"^Taught beside the line from (?P<count>\d+) good parts\.$",
        N_("taught beside the line from %(count)s good parts"),
    ),
    # challenge test
    saying(r"^no test parts are set for (?P<name>.+)$", N_("No test parts are set for %(name)s")),
    saying(
        r"^no defective test part is set for (?P<name>.+): set them first$",
        N_("No defective test part is set for %(name)s: set the test parts first"),
    ),
    saying(r"^a challenge test is running already$", N_("A challenge test is running already")),
    saying(r"^a bypass is on: end it first$", N_("A bypass is on: end it first")),
    saying(r"^no challenge test is running$", N_("No challenge test is running")),
    saying(r"^no test part waits for a confirmation$", N_("No test part waits for an answer")),
    saying(
        r"^recipe (?P<name>\S+) of job \d+ is not signed as .+ digits count no more$",
        N_("Recipe %(name)s has signatures over the first digits of it alone: they count no more, sign it again"),
    ),
    saying(
        r"^recipe (?P<name>\S+) of job \d+ is not signed as ",
        N_("Recipe %(name)s still needs a signature: on Models, Signatures of the recipe shows whose"),
    ),
    saying(r"^no product is on hold$", N_("No product is on hold")),
    saying(r"^product is on hold$", N_("Product is on hold")),
    saying(r"^the release of product on hold needs a reason$", N_("The release needs a reason")),
    saying(r"^the test was broken off by a restart$", N_("The test was broken off by a restart: begin again")),
    saying(r"^the test was broken off$", N_("The test was broken off")),
    saying(r"^the hold is released: repeat the test$", N_("The hold is released: repeat the test")),
    saying(r"^passed as good$", N_("A good part was passed as good")),
    saying(r"^(?P<name>.+): found and removed$", N_("%(name)s was found and removed")),
    saying(r"^(?P<name>.+) was found: was it removed\?$", N_("%(name)s was found. Was it removed?")),
    saying(
        r"^(?P<name>.+): the defect was not found \(part (?P<part>\d+)\)$",
        N_("%(name)s: the defect was not found (part %(part)s)"),
    ),
    saying(
        r"^(?P<name>.+): it got no verdict \(part (?P<part>\d+)\)$",
        N_("%(name)s got no verdict (part %(part)s)"),
    ),
    saying(r"^(?P<name>.+): it was not removed( \(part (?P<part>\d+)\))?$", N_("%(name)s was not removed")),
    saying(
        r"^(?P<name>.+): nothing confirms that it was removed \(part (?P<part>\d+)\)$",
        N_("%(name)s: nothing confirms that it was removed (part %(part)s)"),
    ),
    saying(
        r"^(?P<name>.+): a good part was called bad \(part (?P<part>\d+)\)$",
        N_("%(name)s: a good part was called bad (part %(part)s)"),
    ),
    saying(r"^the challenge test is \S+: there is nothing to sign$", N_("There is nothing to sign")),
    saying(r"^io does not answer: the line cannot be tested$", N_("The link to the PLC is silent: no test can be run")),
    saying(
        r"^the inspection is stopped by (?P<who>.+): start it first$", N_("%(who)s stopped the inspection: start it")
    ),
    # change-over and lot
    saying(r"^a change-over is under way", N_("A change-over is under way: finish it or break it off")),
    saying(r"^the line's own job is not known", N_("The link to the PLC is silent: the product in force is not known")),
    saying(r"^there is no job (?P<number>\d+)", N_("There is no job %(number)s")),
    saying(r"^job (?P<number>\d+) is the active one already$", N_("This product is in force already")),
    saying(r"^the change-over is being taken back", N_("The change-over is being taken back to the old product")),
    saying(r"^going back to job (?P<number>\d+)", N_("Going back to job %(number)s")),
    saying(r"^the change-over is at step (?P<step>\d)", N_("The change-over is at step %(step)s already")),
    saying(r"^job (?P<number>\d+) is being made ready", N_("Job %(number)s is being made ready")),
    saying(r"^the challenge test is not passed yet$", N_("The challenge test is not passed yet")),
    saying(r"^the golden pictures are being judged$", N_("The golden pictures are being judged")),
    saying(r"^no change-over is under way$", N_("No change-over is under way")),
    saying(r"^the change-over was broken off$", N_("The change-over was broken off")),
    saying(r"^no product of the settings has the code (?P<code>.+)$", N_("No product has the code %(code)s")),
    saying(r"^a challenge test is running: finish", N_("A challenge test is running: finish it or break it off")),
    # bypass
    saying(r"^(?P<minutes>[\d.]+) minutes: expected .* at most (?P<most>[\d.]+)$", N_("At most %(most)s minutes")),
    saying(r"^a bypass needs a reason$", N_("A bypass needs a reason")),
    saying(r"^there is no bypass$", N_("There is no bypass any more")),
    saying(
        r"^(records does not answer: it is not written|it cannot be written) down",
        N_("Not done: it cannot be recorded"),
    ),
    saying(r"^it was not removed$", N_("not removed")),
    saying(r"^it got no verdict$", N_("no verdict")),
    saying(r"^the defect was not found$", N_("defect not found")),
    saying(r"^nothing confirms that it was removed$", N_("removal not confirmed")),
    saying(r"^a good part was called bad$", N_("good part called bad")),
)
OCCASIONS = {
    "start": N_("start of the shift"),
    "end": N_("end of the shift"),
    "changeover": N_("change of product"),
    "interval": N_("interval is over"),
    "maintenance": N_("after maintenance"),
    "restart": N_("after a restart"),
    "asked": N_("asked for by a person"),
}
PHASES = {
    "off": N_("No test is asked for"),
    "passed": N_("Passed"),
    "due": N_("Test is due"),
    "running": N_("Test is running"),
    "failed": N_("Failed"),
    "unsigned": N_("Passed, not signed yet"),
}


def detail_words(detail: str, gettext: Gettext) -> str:
    """A sentence of the shift process; as it came where it is not known."""
    if detail in OCCASIONS:
        return gettext(OCCASIONS[detail])
    return translated(detail, SAYINGS, gettext)
