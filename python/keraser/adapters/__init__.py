"""One package a framework. Only `base` may be imported by the rest of keraser."""
