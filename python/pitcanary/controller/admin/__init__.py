"""AdminService: what operators, authors and pipelines ask of the controller.

One file per concept; each turns a request into calls of the store and the pure
packages, inside one transaction, and its result into a response. Protobuf stops
in this package.
"""
