"""okng: the software of an edge AI visual inspection appliance.

    Trigger -> Frame -> Findings -> Verdict -> Disposition -> Receipt -> Record

A part reaches the eye; `plc_io` gives it a number and a deadline (Trigger). `camera` exposes and lays the picture into
a shared ring (Frame). `models` says what is seen in it (Findings), `inspect` what that means (Verdict). `plc_io` checks
that the verdict is fresh, matching and in time, and tells the PLC (Disposition); the PLC acknowledges (Receipt).
`records` remembers it all (Record), `webui` shows it, `fleet` carries it up and bundles down. Learn these seven and you
know okng.

The box grants OK; it does not send rejects. Whatever fails, the part is rejected and counted.
"""

__version__ = "0.1.0"
