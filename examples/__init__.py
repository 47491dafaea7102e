"""Small programs that use pitcanary as an application would."""
