"""The command line: every command is a call of the controller's admin service.

It formats and asks; it decides nothing and touches no database. `app` puts the
commands together, `connection` reaches the controller, `output` prints.
"""
