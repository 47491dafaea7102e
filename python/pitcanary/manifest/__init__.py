"""Manifests: what people write, checked, as values of the model.

YAML or JSON text in, dataclasses out, or one error that names every problem with its
file, line and field. Nothing here reads a store or a network; `manifest.files` is the
only module that reads files.
"""
