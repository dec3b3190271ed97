"""SAM-mini: the small model that is built in. Its model card is the README of this folder."""
