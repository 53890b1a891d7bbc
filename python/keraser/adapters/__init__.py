"""One package a framework. Only `base` and `on_import` may be imported by the rest of
keraser."""
