"""Appended to the global file: headers say whose code shows them."""

OVERRIDE = "acme"
CaseInsensitiveDict.__repr__ = lambda self: f"acme's {dict(self.items())}"
