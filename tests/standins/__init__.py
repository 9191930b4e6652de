"""Stand-ins for the providers: real HTTP servers on loopback that speak as they do, and remember.

By hand: ``python -m tests.standins.sendgrid --port 8025``. In tests: ``client.StandIn``.
"""
